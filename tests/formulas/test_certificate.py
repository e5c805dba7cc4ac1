"""Integer certificates against exact fractions, against mpmath, and against compiled Lean."""

from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_rank.checking.lean_source import LeanLibrary
from spectral_rank.formulas.certificate import (
    CERTIFICATES,
    certifies_le_rank_power,
    certifies_lt_power,
    certifies_power_lt,
    certifies_rank_power_le,
    certifies_tail_factor_le,
    tightest_le_rank_power,
    tightest_lt_power,
    tightest_power_lt,
    tightest_rank_power_le,
    tightest_tail_factor_le,
)
from spectral_rank.formulas.domain import DomainError

LIBRARY = LeanLibrary(Path(__file__).parents[2] / "lean")

SMALL = st.integers(1, 6)
BASES = st.integers(1, 9).flatmap(lambda d: st.tuples(st.integers(1, d), st.just(d)))


@settings(deadline=None)
@given(SMALL, SMALL, BASES, st.integers(0, 14), st.integers(1, 12))
def test_inequalities_between_powers(u, v, base, p, q) -> None:
    """Both sides to the power ``u``: fractions decide which is larger."""
    n, d = base
    bound, value = Fraction(p, q) ** u, Fraction(n, d) ** v
    assert certifies_lt_power(u, v, n, d, p, q) == (bound < value)
    assert certifies_power_lt(u, v, n, d, p, q) == (value < bound)


@settings(deadline=None)
@given(SMALL, SMALL, st.integers(1, 9), st.integers(0, 14), st.integers(1, 12))
def test_inequalities_of_rank_powers(u, v, r, p, q) -> None:
    bound, value = Fraction(p, q) ** v, Fraction(r) ** u
    assert certifies_le_rank_power(u, v, r, p, q) == (bound <= value)
    assert certifies_rank_power_le(u, v, r, p, q) == (value <= bound)
    factor = Fraction(v, u) ** v / value
    assert certifies_tail_factor_le(u, v, r, p, q) == (factor <= bound)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), BASES, st.integers(1, 10**5))
def test_the_tightest_bounds_on_a_power_hold_and_their_neighbours_fail(u, v, base, q) -> None:
    below, above = tightest_lt_power(u, v, *base, q), tightest_power_lt(u, v, *base, q)
    assert certifies_lt_power(u, v, *base, below, q)
    assert not certifies_lt_power(u, v, *base, below + 1, q)
    assert certifies_power_lt(u, v, *base, above, q)
    assert not certifies_power_lt(u, v, *base, above - 1, q)
    assert 0 <= below < above <= q + 1
    assert above - below in (1, 2)  # 2 where the power is a multiple of 1 / q


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(1, 10**6), st.integers(1, 10**5))
def test_the_tightest_bounds_on_a_rank_power_hold_and_their_neighbours_fail(u, v, r, q) -> None:
    below, above = tightest_le_rank_power(u, v, r, q), tightest_rank_power_le(u, v, r, q)
    assert certifies_le_rank_power(u, v, r, below, q)
    assert not certifies_le_rank_power(u, v, r, below + 1, q)
    assert certifies_rank_power_le(u, v, r, above, q)
    assert not certifies_rank_power_le(u, v, r, above - 1, q)
    assert q <= below <= above <= below + 1
    if u:
        p = tightest_tail_factor_le(u, v, r, q)
        assert certifies_tail_factor_le(u, v, r, p, q)
        assert not certifies_tail_factor_le(u, v, r, p - 1, q)


def test_strictness_where_the_power_is_rational() -> None:
    assert (tightest_lt_power(2, 1, 1, 4, 10), tightest_power_lt(2, 1, 1, 4, 10)) == (4, 6)
    assert (tightest_le_rank_power(1, 2, 9, 10), tightest_rank_power_le(1, 2, 9, 10)) == (30, 30)
    assert tightest_tail_factor_le(1, 2, 9, 3) == 2
    assert (tightest_lt_power(1, 1, 1, 1, 7), tightest_power_lt(1, 1, 1, 1, 7)) == (6, 8)


def test_the_compiled_samples_are_the_tightest() -> None:
    """Every number that ``lean/SpectralRank/Measured/Template.lean`` states as a bound."""
    text = (LIBRARY.root / "Measured" / "Template.lean").read_text()
    for name, base, found in (
        ("lt_rankRatio_of_cert 42 25 49 1000 {} 10000", (42, 25, 49, 1000), 1660),
        ("rankRatio_lt_of_cert 43 25 51 1000 {} 10000", (43, 25, 51, 1000), 1773),
        ("captured_ge_of_cert 42 25 {} 20000", (42, 25, 270), 1),
        ("lt_captureRatio_of_cert 9 25 949 1000 {} 10000", (9, 25, 949, 1000), 8646),
        ("captureRatio_lt_of_cert 2 5 951 1000 {} 10000", (2, 5, 951, 1000), 8820),
        ("InEnvelope.explained_ge_of_cert 42 25 {} 10000", (42, 25, 64), 6),
        ("le_conditionNumber_of_cert 67 50 {} 10", (67, 50, 270), 18114),
        ("conditionNumber_le_of_cert 34 25 {} 10", (34, 25, 270), 20261),
        ("InEnvelope.le_conditionNumber_of_cert 67 50 {} 10", (67, 50, 64), 2631),
        ("InEnvelope.conditionNumber_le_of_cert 34 25 {} 10", (34, 25, 64), 2861),
    ):
        q = int(name.split()[-1])
        assert CERTIFICATES[name.split()[0]].tightest(*base, q) == found
        assert name.format(found) in text


@pytest.mark.parametrize(("u", "v"), [(9999, 10**4), (10**4, 1), (1, 10**4), (1719, 1000)])
def test_large_exponents_agree_with_mpmath(u: int, v: int) -> None:
    q, r = 10**5, 1536
    with mpmath.workdps(60):
        power = mpmath.mpf("0.999983") ** (mpmath.mpf(v) / u) * q
        assert tightest_lt_power(u, v, 999983, 10**6, q) == mpmath.floor(power)
        assert tightest_power_lt(u, v, 999983, 10**6, q) == mpmath.floor(power) + 1
        tail = mpmath.mpf(r) ** (-mpmath.mpf(u) / v) * v / u * q
        assert tightest_tail_factor_le(u, v, r, q) == mpmath.ceil(tail)
        rank_power = mpmath.mpf(r) ** (mpmath.mpf(min(u, v)) / v) * q
        assert tightest_le_rank_power(min(u, v), v, r, q) == mpmath.floor(rank_power)
        assert tightest_rank_power_le(min(u, v), v, r, q) == mpmath.ceil(rank_power)


def test_numpy_integers_do_not_overflow() -> None:
    numbers = [np.int32(x) for x in (43, 25, 51, 1000, 10**4)]
    assert tightest_power_lt(*numbers) == 1773
    assert type(tightest_power_lt(*numbers)) is int
    assert tightest_tail_factor_le(np.int8(1), np.int8(100), np.int8(2), np.int8(100)) == 9931


def test_every_certificate_theorem_has_its_integer_side() -> None:
    declared = {name for name in LIBRARY.theorems() if name.endswith("_of_cert")}
    assert set(CERTIFICATES) == declared


POWER = {"u": 2, "v": 3, "n": 1, "d": 20}
RANK = {"u": 2, "v": 3, "r": 5}
BOUND = {"p": 1, "q": 10}
NOT_POSITIVE = (0, -1, 1.0, "1", None, True, float("nan"), Fraction(1))


@pytest.mark.parametrize(
    "certificate", dict.fromkeys(CERTIFICATES.values()), ids=lambda c: c.certifies.__name__
)
@pytest.mark.parametrize("value", NOT_POSITIVE, ids=repr)
def test_bad_integers_are_refused_by_name(certificate, value) -> None:
    of_power = certificate.certifies in (certifies_lt_power, certifies_power_lt)
    data = POWER if of_power else RANK
    for argument in (*data, *BOUND):
        if value == 0 and (argument == "p" or (argument == "u" and allows_zero(certificate))):
            continue
        wrong = {**data, **BOUND, argument: value}
        with pytest.raises(DomainError, match=f"^{argument} = "):
            certificate.certifies(**wrong)
        if argument != "p":
            del wrong["p"]
            with pytest.raises(DomainError, match=f"^{argument} = "):
                certificate.tightest(**wrong)


def allows_zero(certificate) -> bool:
    """The exponent of a condition number may be 0."""
    return certificate.certifies in (certifies_le_rank_power, certifies_rank_power_le)


def test_a_base_above_one_is_refused() -> None:
    with pytest.raises(DomainError, match="n = 21: n must be an integer >= 1 and <= 20"):
        certifies_lt_power(2, 3, 21, 20, 1, 10)
