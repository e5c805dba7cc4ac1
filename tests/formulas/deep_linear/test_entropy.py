"""The entropy against the geometry it stands for: the orbit of balanced factorizations."""

import itertools
import math

import flint
import mpmath
import numpy as np
import pytest
import sympy
from scipy.linalg import expm
from scipy.stats import ortho_group

from spectral_rank.formulas.deep_linear.entropy import entropy, log_orthogonal_volume
from spectral_rank.formulas.deep_linear.metric import depth_weight, end_to_end
from spectral_rank.formulas.domain import DomainError

SPECTRA = {2: ([2.0, 0.5], [1.0, 0.9], [1.0, 1.0]), 3: ([3.0, 1.0, 0.2], [1.1, 1.0, 1.0])}


def balanced_layers(N, sigma, seed):
    d = len(sigma)
    bases = ortho_group.rvs(d, size=N + 1, random_state=seed)
    strength = np.array(sigma) ** (1 / N)
    return [(bases[k + 1] * strength) @ bases[k].T for k in range(N)]


def transformed(layers, rotations):
    """The action of ``O(d) ** (N - 1)``: each rotation turns what lies between two layers."""
    identity = np.eye(len(layers[0]))
    turns = [identity, *rotations, identity]
    return [turns[k + 1] @ W @ turns[k].T for k, W in enumerate(layers)]


def skew_basis(d):
    """An orthonormal basis of the skew matrices for the Frobenius norm."""
    for i, j in itertools.combinations(range(d), 2):
        A = np.zeros((d, d))
        A[i, j], A[j, i] = math.sqrt(0.5), -math.sqrt(0.5)
        yield A


def tangent_vectors(layers, h=1e-5):
    """Difference quotients of the action along the basis, one rotation at a time."""
    d, nodes = len(layers[0]), len(layers) - 1
    for node, A in itertools.product(range(nodes), skew_basis(d)):
        ends = []
        for step in (h, -h):
            rotations = [np.eye(d)] * nodes
            rotations[node] = expm(step * A)
            ends.append(np.concatenate([W.ravel() for W in transformed(layers, rotations)]))
        yield (ends[0] - ends[1]) / (2 * h)


@pytest.mark.parametrize("N", [2, 3, 4])
@pytest.mark.parametrize("sigma", [*SPECTRA[2], *SPECTRA[3]])
def test_gram_determinant_of_the_orbit(N, sigma):
    layers = balanced_layers(N, sigma, seed=N)
    tangents = np.array(list(tangent_vectors(layers)))
    log_density = np.linalg.slogdet(tangents @ tangents.T)[1] / 2
    expected = entropy(N, sigma) - (N - 1) * log_orthogonal_volume(len(sigma))
    assert log_density == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("N", [2, 3])
def test_the_orbit_is_made_of_balanced_factorizations(N):
    layers = balanced_layers(N, [3.0, 1.0, 0.2], seed=0)
    moved = transformed(layers, ortho_group.rvs(3, size=N, random_state=1)[: N - 1])
    np.testing.assert_allclose(end_to_end(moved), end_to_end(layers), atol=1e-12)
    for below, above in itertools.pairwise(moved):
        np.testing.assert_allclose(below @ below.T, above.T @ above, atol=1e-12)


def test_length_of_the_whole_orbit_for_two_layers_of_width_two():
    layers, points = balanced_layers(2, [2.0, 0.5], seed=5), 4000
    length = 0.0
    for flip in (np.eye(2), np.diag([1.0, -1.0])):
        angles = np.linspace(0, 2 * np.pi, points + 1)
        turns = [np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) for t in angles]
        curve = np.array([np.ravel(transformed(layers, [turn @ flip])) for turn in turns])
        length += np.sum(np.linalg.norm(np.diff(curve, axis=0), axis=1))
    assert math.log(length) == pytest.approx(entropy(2, [2.0, 0.5]), abs=1e-6)


def test_volume_of_the_orthogonal_group():
    assert log_orthogonal_volume(0) == 0
    assert math.exp(log_orthogonal_volume(1)) == pytest.approx(2)
    assert math.exp(log_orthogonal_volume(2)) == pytest.approx(2 * math.sqrt(2) * 2 * np.pi)


def test_volume_of_the_rotations_of_space_in_euler_angles():
    axes = [np.cross(np.eye(3), -axis) for axis in (np.eye(3)[2], np.eye(3)[0])]

    def rotation(a, b, c):
        return expm(a * axes[0]) @ expm(b * axes[1]) @ expm(c * axes[0])

    def density(b, h=1e-5):
        tangents = [
            np.ravel(rotation(*(point + h * e)) - rotation(*(point - h * e))) / (2 * h)
            for point in [np.array([0.4, b, 1.3])]
            for e in np.eye(3)
        ]
        return math.sqrt(np.linalg.det(np.array(tangents) @ np.transpose(tangents)))

    nodes, weights = np.polynomial.legendre.leggauss(12)
    over_b = sum(w * density(np.pi * (x + 1) / 2) for x, w in zip(nodes, weights, strict=True))
    volume = 2 * (2 * np.pi) ** 2 * over_b * np.pi / 2
    assert math.log(volume) == pytest.approx(log_orthogonal_volume(3), abs=1e-8)


def test_entropy_by_its_definition():
    N, sigma = 5, [0.3, 2.0, 1.1, 0.3]
    modes = [s ** (2 / N) for s in sigma]
    weights = [depth_weight(N, a, b) for a, b in itertools.combinations(modes, 2)]
    expected = (N - 1) * log_orthogonal_volume(4) + sum(map(math.log, weights)) / 2
    assert entropy(N, sigma) == pytest.approx(expected, rel=1e-13)
    assert entropy(N, sorted(sigma)) == entropy(N, sigma)


def test_every_kind_of_number():
    expected = entropy(3, [1.0, 2.0, 5.0])
    for number in (int, mpmath.mpf, flint.arb, sympy.Integer):
        found = entropy(3, [number(1), number(2), number(5)])
        assert float(found) == pytest.approx(expected, rel=1e-13)
    assert entropy(3, np.array([1, 2, 5])) == expected
    assert entropy(3, [flint.arb(1), 2, 5]).rel_accuracy_bits() > 40
    assert abs(entropy(3, [mpmath.mpf(1), 2, 5]) - expected) < 1e-13


def test_degenerate_networks():
    assert entropy(1, [1e200, 1e-200]) == 0
    assert entropy(4, [2.0]) == pytest.approx(3 * math.log(2))
    assert entropy(4, []) == 0
    assert math.isfinite(entropy(2, [1e300, 1e-300, 1.0]))


@pytest.mark.parametrize(
    ("N", "sigma", "name"),
    [
        (0, [1.0], "N"),
        (2.0, [1.0], "N"),
        (2, [1.0, 0.0], "sigma"),
        (2, [1.0, -1.0], "sigma"),
        (2, [1.0, math.nan], "sigma"),
        (2, [[1.0]], "sigma"),
        (2, 1.0, "sigma"),
        (2, ["1"], "sigma"),
    ],
)
def test_entropy_refuses(N, sigma, name):
    with pytest.raises(DomainError) as error:
        entropy(N, sigma)
    assert error.value.argument == name


def test_volume_refuses():
    with pytest.raises(DomainError, match="d must be"):
        log_orthogonal_volume(-1)
