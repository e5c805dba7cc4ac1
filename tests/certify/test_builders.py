"""From random measurements to certificates: integers, balls, refusals and mutants."""

import math
from fractions import Fraction

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.certify import (
    Certificate,
    CertificateError,
    Origin,
    approximation,
    builders,
    conditioning,
    envelope,
    envelope_conditioning,
    slow,
    steep,
)
from spectral_rank.certify.instance import Measured, Ratio
from spectral_rank.certify.intervals import Allowed, simplest_between
from spectral_rank.certify.lean_text import read_theorem, theorem_text
from spectral_rank.certify.shapes import SHAPES
from spectral_rank.formulas.capture import capture_ratio, captured
from spectral_rank.formulas.conditioning import condition_number
from spectral_rank.formulas.domain import DomainError
from spectral_rank.formulas.elementary import as_ball
from spectral_rank.formulas.power_law import band_energy, singular_value
from spectral_rank.formulas.rank import rank_ratio

ORIGIN = Origin(module="w", source="w.npy", record_sha256="a" * 64, method="bootstrap")
LARGE = 10**6
"""A dimension at which a bound for every dimension is all but attained."""


def intervals(low: float, high: float) -> st.SearchStrategy[tuple[float, float]]:
    """Intervals of every width down to a point."""
    widths = st.sampled_from([0.0, 1e-9, 1e-4, 0.01, 0.1, 1.0])
    return st.tuples(st.floats(low, high), widths).map(
        lambda drawn: (drawn[0], min(float(high), drawn[0] + drawn[1]))
    )


@st.composite
def measurements(draw: st.DrawFn) -> Certificate:
    """A certificate of one of the six shapes from a random measurement."""
    kind = draw(st.sampled_from(sorted(SHAPES)))
    if kind == "slow":
        alpha = draw(intervals(0, 0.49))
        # The least captured share that keeps the ratio above 1/100000.
        share = 2e-5 ** (1 - 2 * min(alpha[1] + 0.01, 0.495))
        return slow(ORIGIN, alpha, draw(intervals(2e-4, max(2e-4, 0.99 * (1 - share)))))
    if kind in ("conditioning", "envelope_conditioning"):
        alpha, rank = draw(intervals(0, 3)), draw(st.integers(1, 1600))
        if kind == "conditioning":
            return conditioning(ORIGIN, alpha, rank)
        return envelope_conditioning(ORIGIN, alpha, draw(intervals(1e-3, 100)), rank)
    alpha = draw(intervals(0.68, 3))
    slope = 2 * (alpha[0] - 0.01) - 1
    if kind == "steep":
        least = math.ceil(1.1 * slope ** (-1 / slope)) + 1
        tolerance = draw(intervals(max(2e-4, 2e-5**slope), 1))
        return steep(ORIGIN, alpha, tolerance, draw(st.integers(least, 1600)))
    constants = draw(intervals(1e-3, 100))
    rank = draw(st.integers(1200, 1600))
    widest = math.sqrt(0.9 / (rank**-slope / slope + 1e-5))
    constants = (max(constants[0], 1.1 * constants[1] / widest), constants[1])
    build = envelope if kind == "envelope" else approximation
    return build(ORIGIN, alpha, tuple(sorted(constants)), rank)


@settings(max_examples=1000, deadline=None)
@given(measurements())
def test_random_measurements(certificate) -> None:
    """Integers hold, nothing went inward, the text reads back, balls confirm the conclusion."""
    certificate.verify()
    contains_the_measurement(certificate)
    text = theorem_text(certificate)
    assert theorem_text(read_theorem(text)) == text
    for bound, inequality in zip(certificate.bounds, certificate.inequalities, strict=True):
        if bound.u + bound.v < 3000:  # Python's own powers, seconds beyond
            assert eval(inequality.replace("^", "**")) is True
    with flint.ctx.workprec(192):
        CONFIRM[certificate.kind](certificate)


def contains_the_measurement(certificate) -> None:
    for ends, measured in (
        (certificate.exponent, certificate.measured.exponent),
        (certificate.tolerance, certificate.measured.tolerance),
        (certificate.envelope, certificate.measured.envelope),
    ):
        if ends is not None:
            lo, hi = (Fraction(float(text)) for text in measured)
            assert ends.low.value <= lo <= hi <= ends.high.value


def balls(ends):
    return [as_ball(ends.low.value), as_ball(ends.high.value)]


def bounds(certificate):
    return [as_ball(Fraction(bound.p, bound.q)) for bound in certificate.bounds]


def confirm_steep(certificate) -> None:
    low, high, missed = bounds(certificate)
    for alpha in balls(certificate.exponent):
        for eps in balls(certificate.tolerance):
            assert low < rank_ratio(alpha, eps) < high
        for d in (certificate.rank, LARGE):
            assert captured(alpha, certificate.rank, d) >= 1 - missed


def confirm_slow(certificate) -> None:
    low, high = bounds(certificate)
    for alpha in balls(certificate.exponent):
        for eps in balls(certificate.tolerance):
            assert low < capture_ratio(alpha, eps) < high


def confirm_envelope(certificate) -> None:
    """The spectrum with the least share: lowest up to the rank, highest beyond it."""
    (missed,) = bounds(certificate)
    c, big = balls(certificate.envelope)
    alpha, rank = as_ball(certificate.exponent.low.value), certificate.rank
    head, tail = band_energy(alpha, 0, rank), band_energy(alpha, rank, LARGE)
    explained = c**2 * head / (c**2 * head + big**2 * tail)
    assert explained >= 1 - (big / c) ** 2 * missed


def confirm_conditioning(certificate) -> None:
    low, high = bounds(certificate)
    values = [
        condition_number(lambda i, alpha=alpha: singular_value(alpha, i), certificate.rank)
        for alpha in balls(certificate.exponent)
    ]
    # Bounds that are attained overlap with the ball: only a certain failure counts.
    assert not any(value < low or value > high for value in values)


def confirm_envelope_conditioning(certificate) -> None:
    low, high = bounds(certificate)
    c, big = balls(certificate.envelope)
    for alpha in balls(certificate.exponent):
        last = singular_value(alpha, certificate.rank)
        assert not c / (big * last) < c / big * low
        assert not big / (c * last) > big / c * high


CONFIRM = {
    "steep": confirm_steep,
    "slow": confirm_slow,
    "envelope": confirm_envelope,
    "approximation": confirm_envelope,
    "conditioning": confirm_conditioning,
    "envelope_conditioning": confirm_envelope_conditioning,
}


@settings(deadline=None)
@given(measurements(), st.data())
def test_a_bound_one_finer_is_refused(certificate, data) -> None:
    """Every bound is the tightest for its denominator, and a record that claims more is caught."""
    index = data.draw(st.integers(0, len(certificate.bounds) - 1))
    bound = certificate.bounds[index]
    is_lower = bound.theorem.rpartition(".")[2].startswith(("lt_", "le_"))
    p = bound.p + 1 if is_lower else bound.p - 1
    finer = bound.model_copy(update={"p": p})
    changed = (*certificate.bounds[:index], finer, *certificate.bounds[index + 1 :])
    with pytest.raises(CertificateError, match=r"is false|outside the compiled range"):
        certificate.model_copy(update={"bounds": changed}).verify()


def inward(argument, lo, hi, allowed: Allowed, limit=10**4, slack=Fraction(1, 100)):
    """The mutant: the simplest rationals inside the measured interval."""
    low, high = Fraction(lo), Fraction(hi)
    third = (high - low) / 3
    return simplest_between(low, low + third), simplest_between(high - third, high)


@settings(deadline=None, max_examples=50)
@given(st.floats(1.2, 2), st.floats(1e-3, 0.3))
def test_rounding_inward_is_caught(alpha, width) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builders, "outward", inward)
        with pytest.raises(CertificateError, match="does not contain"):
            conditioning(ORIGIN, (alpha, alpha + width), 270)


def test_nearest_rounding_is_caught() -> None:
    """Python's own ``limit_denominator`` rounds inward about every other time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            builders,
            "outward",
            lambda _, lo, hi, *__: [Fraction(x).limit_denominator(100) for x in (lo, hi)],
        )
        with pytest.raises(CertificateError, match="does not contain"):
            steep(ORIGIN, (1.338, 1.36), (0.05, 0.05), 270)


CHANGES = {
    "name": ("other_conditioning", "must begin with w_conditioning"),
    "rank": (271, "the base"),
    "bounds": ((), "the calls are not those"),
    "inequalities": ((), "not those of the bounds"),
    "envelope": ("exponent", "envelope is not allowed"),
    "tolerance": ("exponent", "tolerance is not allowed"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_certificate_does_not_verify(field) -> None:
    certificate = conditioning(ORIGIN, (1.34, 1.36), 270)
    value, message = CHANGES[field]
    value = getattr(certificate, value) if value == "exponent" else value
    with pytest.raises(CertificateError, match=message):
        certificate.model_copy(update={field: value}).verify()


def test_a_changed_interval_does_not_verify() -> None:
    certificate = conditioning(ORIGIN, (1.34, 1.36), 270)
    for low, message in (
        (Ratio(numerator=133, denominator=100), "is not the slope"),
        (Ratio(numerator=2, denominator=1), "2 / 1 >"),
        (Ratio(numerator=13400, denominator=10001), "must lie in"),
        (Ratio(numerator=4, denominator=1), "must lie in"),
    ):
        ends = certificate.exponent.model_copy(update={"low": low})
        with pytest.raises(CertificateError, match=message):
            certificate.model_copy(update={"exponent": ends}).verify()
    for text in ("1.30", "nan", "inf", "x", "1/0"):
        measured = Measured(exponent=(text, "1.36"))
        with pytest.raises(CertificateError, match=r"does not contain|not a measured number"):
            certificate.model_copy(update={"measured": measured}).verify()


HALF = Fraction(1, 2)
ONE_TENTH = (0.1, 0.1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: steep(ORIGIN, (0.4, 0.45), ONE_TENTH, 9), "^exponent = .*1/2, 3"),
        (lambda: steep(ORIGIN, (0.45, 0.6), ONE_TENTH, 9), "^exponent = .*1/2, 3"),
        (lambda: steep(ORIGIN, (3.1, 3.2), ONE_TENTH, 9), "^exponent = "),
        (lambda: steep(ORIGIN, (1.3, 1.4), (0.0, 0.1), 9), "^tolerance = "),
        (lambda: steep(ORIGIN, (1.3, 1.4), (0.1, 1.1), 9), "^tolerance = "),
        (lambda: steep(ORIGIN, (1.3, 1.4), (1e-5, 0.1), 9), "^tolerance = "),
        (lambda: steep(ORIGIN, (1.3, 1.4), (0.2, 0.1), 9), "^tolerance = "),
        (lambda: steep(ORIGIN, (1.3, 1.4), ONE_TENTH, 0), "^rank = 0"),
        (lambda: steep(ORIGIN, (1.3, 1.4), ONE_TENTH, 1601), "^rank = 1601.*<= 1600"),
        (lambda: steep(ORIGIN, (1.3, 1.4), ONE_TENTH, 2.0), "^rank = 2.0"),
        (lambda: steep(ORIGIN, (1.3, 1.4), ONE_TENTH, 9, tag="a b"), "^tag = 'a b'"),
        (lambda: steep(ORIGIN, (1.3, 1.4), ONE_TENTH, 9, "", 10**5), "^denominator_limit = "),
        (lambda: steep(ORIGIN, (0.6, 0.61), (0.05, 0.05), 1600), "^tolerance = .*1/100000"),
        (lambda: steep(ORIGIN, (0.6, 0.61), (0.9, 0.9), 1600), "^rank = 1600.*positive share"),
        (lambda: slow(ORIGIN, (0.3, 0.5), ONE_TENTH), "^exponent = "),
        (lambda: slow(ORIGIN, (-0.1, 0.3), ONE_TENTH), "^exponent = "),
        (lambda: slow(ORIGIN, (0.3, HALF - Fraction(1, 10**6)), ONE_TENTH), "^exponent = "),
        (lambda: slow(ORIGIN, (0.3, 0.4), (0.1, 1.0)), "^tolerance = "),
        (lambda: slow(ORIGIN, (0.3, 0.49), (0.9, 0.9)), r"^tolerance = \(0.9, 0.9\).*1/100000"),
        (lambda: envelope(ORIGIN, (1.3, 1.4), (0.0, 1.0), 9), "^constants = "),
        (lambda: envelope(ORIGIN, (1.3, 1.4), (1e-5, 1.0), 9), "^constants = "),
        (lambda: envelope(ORIGIN, (1.3, 1.4), (2.0, 1.0), 9), "^constants = "),
        (lambda: envelope(ORIGIN, (1.3, 1.4), (1.0, 1e7), 9), "^constants = "),
        (lambda: envelope(ORIGIN, (1.3, 1.4), (0.01, 1.0), 9), "^rank = 9"),
        (lambda: approximation(ORIGIN, (0.5, 1.4), (0.9, 1.0), 9), "^exponent = "),
        (lambda: conditioning(ORIGIN, (-0.1, 1.0), 9), "^exponent = "),
        (lambda: conditioning(ORIGIN, (float("nan"), 1.0), 9), "^exponent = nan"),
        (lambda: conditioning(ORIGIN, (1.0, float("inf")), 9), "^exponent = inf"),
        (lambda: conditioning(ORIGIN, 1.3, 9), "^exponent = 1.3"),
        (lambda: slow(ORIGIN, (0.3, 0.4), None), "^tolerance = None"),
        (lambda: envelope(ORIGIN, (1.3, 1.4), (1.0, 1.0, 1.0), 9), "^constants = .*an upper end"),
        (lambda: envelope_conditioning(ORIGIN, (1.0, 1.1), (0.9, 1.1), True), "^rank = True"),
    ],
)
def test_what_the_compiled_range_does_not_cover_is_refused(build, message) -> None:
    with pytest.raises(DomainError, match=message):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: conditioning(ORIGIN, (0, 3), 1600),
        lambda: conditioning(ORIGIN, (0, 0), 1),
        lambda: steep(ORIGIN, (Fraction(29999, 10000), 3), (0.0002, 1), 1600),
        lambda: slow(ORIGIN, (0, Fraction(4999, 10000)), (Fraction(1, 12500),) * 2),
        lambda: envelope(ORIGIN, (3, 3), (1, 1), 1600),
    ],
)
def test_the_corners_of_the_compiled_range_are_certified(build) -> None:
    build().verify()
