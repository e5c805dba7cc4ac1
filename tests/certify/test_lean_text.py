"""The generated text against the compiled template, byte for byte."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral_rank.certify import CertificateError, file_text
from spectral_rank.certify.instances_check import read_instances
from spectral_rank.certify.lean_text import comment, read_theorem, theorem_text
from spectral_rank.certify.lean_writer import CLOSING, IMPORTS, OPENING
from spectral_rank.certify.shapes import SHAPES
from spectral_rank.checking.lean_source import forbidden_words, read_declarations

LEAN = Path(__file__).parents[2] / "lean"
TEMPLATE = (LEAN / "SpectralRank" / "Measured" / "Template.lean").read_text()
BODY = TEMPLATE[TEMPLATE.index("/-- Steep") : TEMPLATE.index(f"\n{CLOSING}")]
DOCSTRING = re.compile(r"/--.*?-/\n", re.DOTALL)


def test_the_samples_come_out_byte_for_byte() -> None:
    instances = read_instances(TEMPLATE)
    assert [instance.kind for instance in instances] == list(SHAPES)
    assert "\n".join(map(theorem_text, instances)) == DOCSTRING.sub("", BODY)


def test_imports_options_and_namespace_are_the_templates() -> None:
    assert TEMPLATE.startswith(f"{IMPORTS}\n/-!")
    assert f"-/\n\n{OPENING}\n/--" in TEMPLATE
    assert TEMPLATE.endswith(f"\n\n{CLOSING}")


def test_a_generated_file_differs_from_the_template_in_numbers_names_and_comments(make_set):
    text = file_text(make_set())
    names = re.compile(r"theorem \w+")
    numbers = re.compile("[0-9]+")

    def skeleton(lean: str) -> str:
        plain = re.sub(r"/-.*?-/\n", "", lean, flags=re.DOTALL)
        return numbers.sub("0", names.sub("theorem name", plain))

    assert skeleton(text) == skeleton(TEMPLATE)
    assert text.count("5f" * 32) == 1 + len(SHAPES)
    assert len(read_instances(text)) == len(SHAPES)


def test_the_text_depends_on_the_record_alone(make_set) -> None:
    assert file_text(make_set()) == file_text(make_set())
    assert file_text(make_set()) != file_text(make_set(method="other"))


@given(st.text(alphabet=st.one_of(st.sampled_from("/-\n \t\"'`"), st.characters())))
def test_no_text_ends_or_opens_a_comment(text) -> None:
    written = comment(text)
    assert "-/" not in written
    assert "/-" not in written
    assert written.isprintable()
    written.encode("utf-8")


HOSTILE = "x -/ theorem evil : False := sorry /- \n-/ axiom a : 1 = 2 \u202e /-/ `"


def test_a_hostile_name_stays_in_the_comments(make_set, tmp_path) -> None:
    folder = tmp_path / "SpectralRank"
    folder.mkdir()
    path = folder / "w.lean"
    path.write_text(file_text(make_set(source=HOSTILE, method=HOSTILE)))
    declared = list(read_declarations(path, folder))
    assert [d.name for d in declared] == [
        f"Measured.{c.name}" for c in make_set(source=HOSTILE).certificates
    ]
    assert forbidden_words(path) == []
    assert len(read_instances(path.read_text())) == len(SHAPES)


CONDITIONING = read_instances(TEMPLATE)[4]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("18114 / 10 ≤", "18115 / 10 ≤", "states 18115 / 10, not 18114 / 10"),
        ("18114", "18115", r"18115\^50 <= 270\^67 \* 10\^50 is false"),
        ("67 50", "68 50", "is not the slope"),
        ("67 50", "134 100", "is not the slope"),
        ("67 50", "67 50 1", "not written plainly"),
        ("67 50 18114 10", "67 50", "not one of the six shapes"),
        ("270", "0270", "not written plainly"),
        ("270", "1601", "outside the compiled range 1 to 1600"),
        ("136 / 100", "130 / 100", "> 130 / 100"),
        ("136 / 100", "136 / 0", "greater than or equal to 1"),
        ("singularValue α) 270 ≤", "singularValue α) 271 ≤", "not one of the six shapes"),
        ("norm_num", "sorry", "not one of the six shapes"),
        ("sample_conditioning", "sample", "the name must be"),
        ("α ≤ 136", "α < 136", "not one of the six shapes"),
    ],
)
def test_a_changed_theorem_is_not_read(old, new, message) -> None:
    text = theorem_text(CONDITIONING)
    assert old in text
    with pytest.raises(CertificateError, match=message):
        read_theorem(text.replace(old, new))


@pytest.mark.parametrize("text", ["", "\n", "theorem x : True := trivial\n", "∀"])
def test_other_text_is_not_read(text) -> None:
    with pytest.raises(CertificateError, match="not one of the six shapes"):
        read_theorem(text)
