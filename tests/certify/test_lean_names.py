"""Lean identifiers for whatever a model calls its tensors."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.certify import lean_names
from spectral_rank.certify.instance import Origin
from spectral_rank.certify.names import KEYWORDS, RESERVED

AWKWARD = st.one_of(
    st.text(),
    st.text(alphabet="aA_./-0é'\" "),
    st.sampled_from([*KEYWORDS.split(), "Template", "../../x", "a" * 300, "\ud800", ""]),
)


@given(st.sets(AWKWARD, max_size=8))
def test_names_are_identifiers_distinct_and_inside_the_folder(sources) -> None:
    names = lean_names(sources)
    assert names.keys() == sources
    assert len({name.casefold() for name in names.values()}) == len(sources)
    for name in names.values():
        assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)
        assert name.casefold() not in RESERVED
        assert len(name) <= 120
        assert Path("folder", f"{name}.lean").parent == Path("folder")
        Origin(module=name, source="x", record_sha256="0" * 64, method="x")


@given(st.lists(AWKWARD, max_size=8))
def test_names_do_not_depend_on_the_order(sources) -> None:
    assert lean_names(sources) == lean_names(reversed(sources))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("encoder.layers.0.weight", "encoder_layers_0_weight"),
        ("weight", "weight"),
        ("0.weight", "tensor_0_weight"),
        ("my layer/'W'", "my_layer_W"),
        ("../../etc/passwd", "etc_passwd"),
    ],
)
def test_plain_names_stay_readable(source, name) -> None:
    assert lean_names([source]) == {source: name}


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("theorem", "theorem_"),
        ("Template", "Template_"),
        ("sample", "sample_"),
        ("CON", "CON_"),
        ("größe", "gr_e_"),
        ("重み", "tensor_"),
        ("", "tensor_"),
        ("...", "tensor_"),
        ("a.envelope", "a_envelope_"),
        ("x" * 300, "x" * 48 + "_"),
    ],
)
def test_names_that_need_it_get_a_hash(source, start) -> None:
    name = lean_names([source])[source]
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{8}", name)


def test_collisions_get_a_hash() -> None:
    names = lean_names(["a.b", "a_b", "A b", "c"])
    assert names["c"] == "c"
    assert all(re.fullmatch("[aA]_b_[0-9a-f]{8}", names[s]) for s in ("a.b", "a_b", "A b"))
    # A name that already looks like the one with the hash.
    taken = names["a.b"]
    again = lean_names(["a.b", "a_b", taken])
    assert len({name.casefold() for name in again.values()}) == 3


@pytest.mark.parametrize("module", ["Template", "sample", "a-b", "../x", "", "0a", "α", "a\n"])
def test_other_names_are_refused(module) -> None:
    with pytest.raises(ValueError, match="module"):
        Origin(module=module, source="x", record_sha256="0" * 64, method="x")
