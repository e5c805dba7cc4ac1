"""What an experiment asks for and what its numbers support: sides of 1/2, spectra, refusals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.certify import InstanceRequest, MeasuredExponent, MeasuredSpectrum, file_text
from spectral_rank.formulas.domain import DomainError

SHA = "ab" * 32
FORCED = "power law forced on a spectrum whose best law is exponential; mean over 3 seeds"


def built(request: InstanceRequest):
    return request.certificates("Experiment_1_1_cpu_W_h", "1.1-cpu-0123456789ab.json: W_h", SHA)


def kinds(request: InstanceRequest) -> list[str]:
    found, _ = built(request)
    return [] if found is None else [certificate.kind for certificate in found.certificates]


ENDS = st.one_of(st.floats(0, 3), st.sampled_from([0.0, 0.5, 3.0]))


@settings(deadline=None)
@given(st.tuples(ENDS, ENDS).map(sorted), st.integers(1, 1600))
def test_the_side_of_one_half_decides(ends: list[float], rank: int) -> None:
    low, high = ends
    exponent = MeasuredExponent(low, high, FORCED)
    found, refusals = built(InstanceRequest("W_h", rank, exponent=exponent))
    assert found is not None
    names = {certificate.kind for certificate in found.certificates}
    assert "conditioning" in names
    # Close to 1/2 the ratio is below the finest compiled bound, and a small rank says nothing.
    assert names <= {"conditioning"} | ({"steep"} if low > 0.5 else set()) | (
        {"slow"} if high < 0.5 else set()
    )
    assert len(names) + len(refusals) == 1 + (low > 0.5 or high < 0.5)
    for certificate in found.certificates:
        assert certificate.exponent.low.value <= Fraction(low)
        assert certificate.exponent.high.value >= Fraction(high)
        assert certificate.origin.method == FORCED


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((1.2, 1.4), ["steep", "conditioning"]),
        ((0.2, 0.3), ["slow", "conditioning"]),
        ((0.4, 0.6), ["conditioning"]),
        ((0.5, 0.6), ["conditioning"]),
        ((0.4, 0.5), ["conditioning"]),
        ((2.9, 3.1), []),
    ],
)
def test_exponents_and_their_theorems(ends: tuple[float, float], expected: list[str]) -> None:
    assert kinds(InstanceRequest("x", 64, exponent=MeasuredExponent(*ends, "so"))) == expected


def test_a_tolerance_is_the_decimal_it_is_written_as() -> None:
    request = InstanceRequest("x", 64, exponent=MeasuredExponent(1.2, 1.4, "so", 0.05))
    found, _ = built(request)
    tolerance = found.certificates[0].tolerance
    assert tolerance.low.value == tolerance.high.value == Fraction(1, 20)
    interval = MeasuredExponent(1.2, 1.4, "so", (0.04, 0.1))
    found, _ = built(InstanceRequest("x", 64, exponent=interval))
    tolerance = found.certificates[0].tolerance
    assert (tolerance.low.value, tolerance.high.value) == (Fraction(1, 25), Fraction(1, 10))


SHAPES = [(1.1, ["envelope", "approximation"]), (0.3, []), (0.0, [])]


@pytest.mark.parametrize(("alpha", "steep"), SHAPES)
@pytest.mark.parametrize("scale", [1.0, 7.3, 1e-4])
def test_theorems_about_a_spectrum_hold_for_it(
    alpha: float, steep: list[str], scale: float
) -> None:
    noise = np.random.default_rng(0).uniform(0.95, 1.05, 200)
    values = np.sort(scale * np.arange(1, 201) ** -alpha * noise)[::-1]
    request = InstanceRequest("W", 40, spectrum=MeasuredSpectrum(values.tolist(), "of seed 0"))
    found, refusals = built(request)
    assert refusals == ()
    assert [c.kind for c in found.certificates] == [*steep, "envelope_conditioning"]
    scaled = [Fraction(value) / Fraction(values[0]) for value in values]
    for certificate in found.certificates:
        assert "of seed 0" in certificate.origin.method
        assert "all 200 singular values" in certificate.origin.method
        low, high = (
            float(end.value) for end in (certificate.envelope.low, certificate.envelope.high)
        )
        exponent = float(certificate.exponent.low.value)
        for index, value in enumerate(scaled, start=1):
            assert low * index**-exponent < float(value) * (1 + 1e-14)
            assert float(value) < high * index**-exponent * (1 + 1e-14)
        if certificate.kind in steep:
            bound = (high / low) ** 2 * certificate.bounds[0].p / certificate.bounds[0].q
            assert np.sum(values[40:] ** 2) / np.sum(values**2) <= bound
    condition = scaled[0] / scaled[39]
    last = found.certificates[-1]
    spread = last.envelope.high.value / last.envelope.low.value
    below, above = (Fraction(bound.p, bound.q) for bound in last.bounds)
    assert below / spread <= condition <= above * spread


def test_exponent_and_spectrum_make_one_file() -> None:
    values = tuple(np.arange(1.0, 101.0) ** -0.9)
    request = InstanceRequest(
        "W_h",
        20,
        exponent=MeasuredExponent(0.85, 0.95, FORCED),
        spectrum=MeasuredSpectrum(values, "W_h after training with seed 0"),
    )
    found, refusals = built(request)
    assert [c.kind for c in found.certificates] == [
        "steep",
        "conditioning",
        "envelope",
        "approximation",
        "envelope_conditioning",
    ]
    assert refusals == ()
    text = " ".join(file_text(found).split())
    assert "# Measured spectrum: 1.1-cpu-0123456789ab.json: W_h" in text
    assert f"({FORCED})" in text
    assert "W_h after training with seed 0" in text


@pytest.mark.parametrize(
    ("values", "rank", "error", "reason"),
    [
        ((1.0, 0.5, 0.0), 2, 1e-12, "may be 0"),
        ((1.0, 0.5, 1e-13), 2, 1e-12, "may be 0"),
        ((1.0, 0.5, 0.01), 2, 0.01, "may be 0"),
        ((1.0, 0.5, 0.3), 4, 1e-12, "rank = 4: rank must be at most the number of"),
    ],
)
def test_spectra_that_say_nothing_are_refused_with_a_reason(
    values: tuple[float, ...], rank: int, error: float, reason: str
) -> None:
    spectrum = MeasuredSpectrum(values, "so", error)
    found, (refusal,) = built(InstanceRequest("x", rank, spectrum=spectrum))
    assert found is None
    assert reason in refusal


def test_a_larger_error_gives_a_wider_envelope() -> None:
    values = tuple(np.arange(1.0, 51.0) ** -0.2)
    widths = []
    for error in (0.0, 1e-3, 1e-2):
        found, _ = built(InstanceRequest("x", 5, spectrum=MeasuredSpectrum(values, "so", error)))
        envelope = found.certificates[-1].envelope
        widths.append(envelope.high.value / envelope.low.value)
    assert widths == sorted(widths)
    assert len(set(widths)) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: MeasuredExponent(-0.1, 1, "so"), "low = -0.1"),
        (lambda: MeasuredExponent(math.nan, 1, "so"), "low = nan"),
        (lambda: MeasuredExponent(0.2, 0.1, "so"), "high = 0.1: .* at least low = 0.2"),
        (lambda: MeasuredExponent(0.2, math.inf, "so"), "high = inf"),
        (lambda: MeasuredExponent(0.2, 0.3, " "), "method = ' '"),
        (lambda: MeasuredExponent(0.2, 0.3, "so", 0.0), "tolerance = 0.0"),
        (lambda: MeasuredExponent(0.2, 0.3, "so", 1.0), "tolerance = 1.0"),
        (lambda: MeasuredExponent(0.2, 0.3, "so", (0.2, 0.1)), "tolerance = "),
        (lambda: MeasuredSpectrum([], "so"), "values"),
        (lambda: MeasuredSpectrum([1, 2], "so"), "values"),
        (lambda: MeasuredSpectrum([0.0], "so"), "values"),
        (lambda: MeasuredSpectrum([1, -1], "so"), "values"),
        (lambda: MeasuredSpectrum([1, math.nan], "so"), "values"),
        (lambda: MeasuredSpectrum([1.0], ""), "method"),
        (lambda: MeasuredSpectrum([1.0], "so", -1.0), "error"),
        (lambda: InstanceRequest("x", 5), "exponent = None"),
        (lambda: InstanceRequest("_", 5, MeasuredExponent(1, 1, "so")), "name = '_'"),
        (lambda: InstanceRequest("x", 0, MeasuredExponent(1, 1, "so")), "rank = 0"),
        (lambda: InstanceRequest("x", 1601, MeasuredExponent(1, 1, "so")), "rank = 1601"),
    ],
)
def test_what_was_not_measured_is_refused(wrong, message: str) -> None:
    with pytest.raises(DomainError, match=f"^{message}"):
        wrong()
