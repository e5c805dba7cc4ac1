"""Products of Householder reflections: orthogonal matrices with as many degrees as wanted.

``A = H_1 ... H_k`` with ``H_i = I - 2 v_i v_i^T / |v_i|^2``.  Reflection by reflection this is
``k`` steps in sequence.  The compact WY form ``A = I - V^T T V`` makes it two matrix products and a
triangular solve: ``T^-1`` is the upper triangle of ``V V^T`` with half its diagonal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectral_rank.formulas.domain import integer
from spectral_rank.models.structured.layer import StructuredLinear, gaussian, widened


class Householder(StructuredLinear):
    """An orthogonal ``n x n`` matrix, the product of ``k`` reflections.

    Args:
        features: ``n``, an integer >= 1.
        reflections: ``k``, 1 <= k <= n; ``n`` of them reach every orthogonal matrix of one sign of
            the determinant.
        generator: source of the initial weights.
        dtype: float64, float32, or a half format, whose triangular solve runs in float32.
        device: device of the parameters.

    Attributes:
        normals: the vectors ``v_i`` as rows, shape ``(k, n)``, of any length but 0; initial
            variance ``1 / n``.  The matrix keeps lengths, whatever they are.

    Raises:
        DomainError: if a size or the dtype is outside its domain.

    Source:
        Joffrain, Low, Quintana-Orti, van de Geijn and Van Zee, Accumulating Householder
        transformations, revisited (ACM TOMS 2006), for the triangular factor.
    """

    def __init__(
        self,
        features: int,
        reflections: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(features, features)
        n = self.in_features
        k = integer("reflections", reflections, at_least=1, at_most=n)
        self.normals = gaussian((k, n), 1 / n, generator, dtype, device)

    def dense(self) -> Tensor:
        """The product of the reflections, one after the other, shape ``(n, n)``."""
        matrix = torch.eye(self.in_features, dtype=self.normals.dtype, device=self.normals.device)
        for normal in self.normals:
            scaled = normal * (2 / (normal @ normal))
            matrix = matrix - torch.outer(matrix @ normal, scaled)
        return matrix

    def _multiply(self, x: Tensor) -> Tensor:
        return self._reflected(x, transposed=False)

    def _multiply_adjoint(self, y: Tensor) -> Tensor:
        return self._reflected(y, transposed=True)

    def _reflected(self, x: Tensor, transposed: bool) -> Tensor:
        """``x - V^T T V x``, or with ``T^T``, for each row of a batch ``(..., n)``."""
        rows = x.reshape(-1, self.in_features)
        normals = widened(self.normals)
        gram = normals @ normals.mT
        inverse = gram.triu(1) + torch.diag(gram.diagonal() / 2)
        factor = inverse if transposed else inverse.mT
        heights = widened(rows @ self.normals.mT)
        weights: Tensor = torch.linalg.solve_triangular(
            factor, heights, upper=transposed, left=False
        )
        reflected: Tensor = rows - weights.to(x.dtype) @ self.normals
        return reflected.reshape(x.shape)

    def _singular_values(self) -> Tensor:
        return torch.ones(self.in_features, dtype=torch.float64, device=self.normals.device)
