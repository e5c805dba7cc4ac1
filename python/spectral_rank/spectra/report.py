"""The records of a fitted spectrum."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from spectral_rank.spectra.null_model import NullModel

Verdict = Literal[
    "power_law",
    "exponential",
    "stretched_exponential",
    "power_law_with_cutoff",
    "broken_power_law",
    "twice_broken_power_law",
    "log_normal",
    "noise",
    "flat",
    "undetermined",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class Estimate(_Record):
    """A parameter with its interval.

    Attributes:
        name: name of the parameter.
        value: the estimate.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    name: str
    value: float
    low: float
    high: float


class MaximumLikelihood(_Record):
    """A maximum-likelihood estimate that takes the values as independent draws.

    Attributes:
        name: name of the parameter.
        value: the estimate.
        standard_error: its asymptotic standard error.
    """

    name: str
    value: float
    standard_error: float


class LawFit(_Record):
    """One law, fitted to the values in the fit range.

    Attributes:
        schema_version: version of this record's layout.
        law: name of the law.
        parameters: its parameters.
        r_squared: share of the variance of the log values that it explains.
        residual: root mean square residual of the sorted log values.
        held_out: the same on blocks that the fit has not seen.
        log_likelihood: Gaussian log-likelihood at the common noise.
        aic: Akaike's criterion.
        bic: the Bayesian criterion.
        delta_bic: BIC minus the least BIC of all laws, >= 0.
        vuong_statistic: Vuong's statistic of the winner against this law; 0 for the winner.
        vuong_p_value: its two-sided p-value; 1 for the winner.
        nested: whether the winner contains this law or is contained in it, where Vuong's test is
            conservative and BIC decides.
        maximum_likelihood: estimates by maximum likelihood, where the law has them.
    """

    schema_version: int = 1
    law: str
    parameters: tuple[Estimate, ...]
    r_squared: float
    residual: float
    held_out: float
    log_likelihood: float
    aic: float
    bic: float
    delta_bic: float
    vuong_statistic: float
    vuong_p_value: float
    nested: bool
    maximum_likelihood: tuple[MaximumLikelihood, ...]

    def parameter(self, name: str) -> Estimate:
        """The parameter of that name.

        Raises:
            KeyError: if the law has no such parameter.
        """
        for estimate in self.parameters:
            if estimate.name == name:
                return estimate
        raise KeyError(name)


class FitReport(_Record):
    """What the singular values of one matrix say.

    Attributes:
        schema_version: version of this record's layout.
        shape: rows and columns of the matrix.
        verdict: the law that explains the spectrum; ``noise`` or ``flat`` for a matrix without
            structure; ``undetermined`` if there are too few values or two laws explain them
            equally well.
        reason: the verdict in a sentence.
        winner: the law with the best score even where the verdict is none of the laws; None if
            no law was fitted.
        numerical_rank: how many singular values exceed rounding.
        outliers: the largest values, above the law and left out of the fit.
        first: rank of the first value in the fit range, counted from 1.
        last: rank of the last value in the fit range.
        first_index: index that the laws give to the first value; 1 if the outliers were added to
            the law, ``first`` if they stand where its first values were.
        noise: standard deviation of the independent noise on the log values.
        level: level of all intervals.
        exponent: the rank-order exponent of the power law, whatever the verdict.
        density_exponent: the exponent of the density of the eigenvalues ``s ** 2``, which is
            ``1 + 1 / (2 exponent)``; None if the exponent's interval reaches 0.
        knees: the indices at which the winner breaks; empty unless it is a broken power law.
        null_model: comparison with an unstructured matrix; None for an incomplete spectrum.
        laws: all laws in a fixed order.
        seed: seed of the replicates.
        replicates: how many simulated spectra the intervals rest on.
    """

    schema_version: int = 1
    shape: tuple[int, int]
    verdict: Verdict
    reason: str
    winner: str | None
    numerical_rank: int
    outliers: tuple[float, ...]
    first: int
    last: int
    first_index: int
    noise: float | None
    level: float
    exponent: Estimate | None
    density_exponent: Estimate | None
    knees: tuple[Estimate, ...]
    null_model: NullModel | None
    laws: tuple[LawFit, ...]
    seed: int
    replicates: int

    def law(self, name: str) -> LawFit:
        """The fit of the law of that name.

        Raises:
            KeyError: if no such law was fitted.
        """
        for fit in self.laws:
            if fit.law == name:
                return fit
        raise KeyError(name)
