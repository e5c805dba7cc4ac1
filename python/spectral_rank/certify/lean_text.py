"""The text of a generated theorem, and back: the template of ``Measured/Template.lean``.

The proofs are fixed text.  Writing fills the gaps; reading matches the same text with the gaps as
groups, so a file that differs from the template anywhere else is not read at all.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from string import Template
from types import MappingProxyType

from spectral_rank.certify.instance import (
    IDENTIFIER,
    Bound,
    Certificate,
    CertificateError,
    Ends,
    Instance,
    Ratio,
)
from spectral_rank.certify.shapes import SHAPES, Kind

WIDTH = 100

TEXTS: Mapping[Kind, str] = MappingProxyType(
    {
        "steep": """\
theorem $name {α ε : ℝ} (hα₁ : $alpha_low ≤ α) (hα₂ : α ≤ $alpha_high)
    (hε₁ : $eps_low ≤ ε) (hε₂ : ε ≤ $eps_high) :
    $bound_0 < rankRatio α ε ∧ rankRatio α ε < $bound_1 ∧
      ∀ d : ℕ, $rank ≤ d → 1 - $bound_2 ≤ captured α $rank d := by
  refine ⟨?_, ?_, ?_⟩
  · refine lt_rankRatio_of_cert $call_0 hα₁ hε₁ ?_ ?_ ?_ ?_ ?_ <;> norm_num
  · refine rankRatio_lt_of_cert $call_1 hα₁ hα₂ hε₁ hε₂ ?_ ?_ ?_ ?_ ?_ ?_ ?_
      <;> norm_num
  · refine captured_ge_of_cert $call_2 hα₁ ?_ ?_ ?_ ?_ <;> norm_num
""",
        "slow": """\
theorem $name {α ε : ℝ} (hα₁ : $alpha_low ≤ α) (hα₂ : α ≤ $alpha_high)
    (hε₁ : $eps_low ≤ ε) (hε₂ : ε ≤ $eps_high) :
    $bound_0 < captureRatio α ε ∧ captureRatio α ε < $bound_1 := by
  refine ⟨?_, ?_⟩
  · refine lt_captureRatio_of_cert $call_0 hα₂ hε₂ ?_ ?_ ?_ ?_ ?_ <;> norm_num
  · refine captureRatio_lt_of_cert $call_1 hα₁ hα₂ hε₁ hε₂ ?_ ?_ ?_ ?_ ?_ ?_ ?_
      <;> norm_num
""",
        "envelope": """\
theorem $name {α : ℝ} {s : ℕ → ℝ} {d : ℕ} (hα₁ : $alpha_low ≤ α) (hd : $rank ≤ d)
    (h : InEnvelope ($c) ($C) α s d) :
    1 - ($C / ($c)) ^ 2 * ($bound_0) ≤ explained s $rank d := by
  refine InEnvelope.explained_ge_of_cert $call_0 h hα₁ hd ?_ ?_ ?_ ?_ <;> norm_num
""",
        "approximation": """\
theorem $name {α : ℝ} {s : ℕ → ℝ} {m l : Type*} [Fintype m] [Fintype l] {n : ℕ}
    {U : Matrix m (Fin n) ℝ} {V : Matrix l (Fin n) ℝ} (hα₁ : $alpha_low ≤ α) (hn : $rank ≤ n)
    (h : InEnvelope ($c) ($C) α s n) (hs : Antitone fun j => s (j + 1))
    (h0 : ∀ j, 0 ≤ s (j + 1)) (hU : Uᵀ * U = 1) (hV : Vᵀ * V = 1) :
    ∃ (X : Matrix m (Fin $rank) ℝ) (Y : Matrix (Fin $rank) l ℝ),
      frobeniusSq (spectralMatrix s U V - X * Y) ≤
        ($C / ($c)) ^ 2 * ($bound_0) * frobeniusSq (spectralMatrix s U V) := by
  refine InEnvelope.exists_approximation_of_cert $call_0 h hs h0 hU hV hα₁ hn ?_ ?_ ?_ ?_
    <;> norm_num
""",
        "conditioning": """\
theorem $name {α : ℝ} (hα₁ : $alpha_low ≤ α) (hα₂ : α ≤ $alpha_high) :
    $bound_0 ≤ conditionNumber (singularValue α) $rank ∧
      conditionNumber (singularValue α) $rank ≤ $bound_1 := by
  refine ⟨?_, ?_⟩
  · refine le_conditionNumber_of_cert $call_0 hα₁ ?_ ?_ ?_ ?_ <;> norm_num
  · refine conditionNumber_le_of_cert $call_1 hα₂ ?_ ?_ ?_ ?_ <;> norm_num
""",
        "envelope_conditioning": """\
theorem $name {α : ℝ} {s : ℕ → ℝ} {d : ℕ} (hα₁ : $alpha_low ≤ α)
    (hα₂ : α ≤ $alpha_high) (hd : $rank ≤ d) (h : InEnvelope ($c) ($C) α s d) :
    $c / ($C) * ($bound_0) ≤ conditionNumber s $rank ∧
      conditionNumber s $rank ≤ $C / ($c) * ($bound_1) := by
  refine ⟨?_, ?_⟩
  · refine InEnvelope.le_conditionNumber_of_cert $call_0 h hα₁ hd ?_ ?_ ?_ ?_ <;> norm_num
  · refine InEnvelope.conditionNumber_le_of_cert $call_1 h hα₂ hd ?_ ?_ ?_ ?_ <;> norm_num
""",
    }
)
"""The theorems of the template with gaps for names and numbers."""

READINGS: Mapping[Kind, str] = MappingProxyType(
    {
        "steep": "Steep spectrum: the rank ratio, and what rank `{rank}` captures in every "
        "dimension.",
        "slow": "Slow spectrum: the capture ratio.",
        "envelope": "What the first `{rank}` values of a spectrum in this envelope hold of its "
        "energy.",
        "approximation": "The relative squared Frobenius error of the best approximation of rank "
        "at most `{rank}`.",
        "conditioning": "The condition number of the power law at rank `{rank}`.",
        "envelope_conditioning": "The condition number at rank `{rank}` of a spectrum in this "
        "envelope.",
    }
)


def theorem_text(instance: Instance) -> str:
    """The theorem with its proof, without docstring, ending in a newline.

    Raises:
        CertificateError: if the instance does not hold; it is checked again here.
    """
    instance.verify()
    return Template(TEXTS[instance.kind]).substitute(_gaps(instance))


def docstring(certificate: Certificate) -> str:
    """The comment above a theorem: what it says, how it was measured, and the record's hash."""
    low, high = certificate.measured.exponent
    sentences = [
        READINGS[certificate.kind].format(rank=certificate.rank),
        f"Measured exponent {low} to {high} ({certificate.origin.method}).",
        f"Record {certificate.origin.record_sha256}.",
    ]
    return fill(f"/-- {comment(' '.join(sentences))} -/")


def comment(text: str) -> str:
    """Any text as part of a Lean comment: printable, on one line, and unable to end the comment."""
    printable = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return re.sub("(?<=-)(?=/)|(?<=/)(?=-)", " ", printable)


def fill(text: str) -> str:
    """A paragraph broken into lines of at most 100 characters, ending in a newline."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False) + "\n"


def read_theorem(text: str) -> Instance:
    """The instance that a theorem's text states.

    Args:
        text: as `theorem_text` writes it.

    Raises:
        CertificateError: if the text is not that of a shape with numbers filled in, or its integers
            do not prove it.
    """
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(text)
        if match is not None:
            try:
                instance = _instance(kind, match.groupdict())
            except ValueError as error:
                raise CertificateError(f"{match['name']}: {error}") from None
            if theorem_text(instance) != text:
                raise CertificateError(f"{instance.name}: numbers are not written plainly")
            return instance
    raise CertificateError(f"not one of the six shapes: {text.splitlines()[0] if text else ''!r}")


def _gaps(instance: Instance) -> dict[str, str]:
    gaps = {"name": instance.name}
    if instance.rank is not None:
        gaps["rank"] = str(instance.rank)
    for low, high, ends in (
        ("alpha_low", "alpha_high", instance.exponent),
        ("eps_low", "eps_high", instance.tolerance),
        ("c", "C", instance.envelope),
    ):
        if ends is not None:
            gaps |= {low: str(ends.low), high: str(ends.high)}
    for index, bound in enumerate(instance.bounds):
        rank_is_found_by_lean = len(bound.base) == 1
        base = () if rank_is_found_by_lean else bound.base
        numbers = (bound.u, bound.v, *base, bound.p, bound.q)
        gaps |= {f"bound_{index}": str(bound), f"call_{index}": " ".join(map(str, numbers))}
    return gaps


def _instance(kind: Kind, gaps: dict[str, str]) -> Instance:
    rank = int(gaps["rank"]) if "rank" in gaps else None
    bounds = []
    for index, call in enumerate(SHAPES[kind].calls):
        u, v, *base, p, q = (int(number) for number in gaps[f"call_{index}"].split())
        base = base if rank is None or call.base != "rank" else [rank]
        bound = Bound(theorem=call.theorem, u=u, v=v, base=tuple(base), p=p, q=q)
        if gaps[f"bound_{index}"] != str(bound):
            raise CertificateError(f"{gaps['name']}: states {gaps[f'bound_{index}']}, not {bound}")
        bounds.append(bound)
    return Instance(
        kind=kind,
        name=gaps["name"],
        exponent=_ends(gaps, "alpha_low", "alpha_high"),
        tolerance=_ends(gaps, "eps_low", "eps_high") if "eps_low" in gaps else None,
        rank=rank,
        envelope=_ends(gaps, "c", "C") if "c" in gaps else None,
        bounds=tuple(bounds),
    )


def _ends(gaps: dict[str, str], low: str, high: str) -> Ends:
    return Ends(low=_ratio(gaps[low]), high=_ratio(gaps[high]) if high in gaps else None)


def _ratio(text: str) -> Ratio:
    numerator, denominator = text.split(" / ")
    return Ratio(numerator=int(numerator), denominator=int(denominator))


def _gap_pattern(gap: str) -> str:
    if gap == "name":
        return IDENTIFIER
    if gap == "rank":
        return "[0-9]{1,4}"
    number = "[0-9]{1,18}"
    return f"{number}(?: {number}){{3,5}}" if gap.startswith("call") else f"{number} / {number}"


def _pattern(text: str) -> re.Pattern[str]:
    """The text as an expression in which a gap that occurs twice must be filled the same way."""
    parts = re.split(r"\$(\w+)", text)
    seen: set[str] = set()
    for index in range(1, len(parts), 2):
        gap = parts[index]
        parts[index] = f"(?P={gap})" if gap in seen else f"(?P<{gap}>{_gap_pattern(gap)})"
        seen.add(gap)
    parts[::2] = [re.escape(part) for part in parts[::2]]
    return re.compile("".join(parts))


_PATTERNS: Mapping[Kind, re.Pattern[str]] = MappingProxyType(
    {kind: _pattern(text) for kind, text in TEXTS.items()}
)
