# The two commands of the README are `make check-theorems` and `make test`; both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
REPORT ?= report

.PHONY: check-theorems test setup report figures bench lint proofs clean

check-theorems: setup
	$(BIN)/spectral-rank check

test: setup
	$(BIN)/pytest -n auto

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# The report of all checks: one page to read, one record to compare.
report: setup
	mkdir -p $(REPORT)
	$(BIN)/spectral-rank check --mutants --html $(REPORT)/theorems.html --json $(REPORT)/theorems.json

figures: setup
	$(BIN)/spectral-rank figure theory/figures/rank-ratio.svg

bench: setup
	$(BIN)/python benchmarks/ranks.py

lint: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

proofs:
	lake exe cache get
	lake build

clean:
	rm -rf $(VENV) $(REPORT) .mypy_cache .pytest_cache .ruff_cache .hypothesis
