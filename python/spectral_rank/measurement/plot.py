"""The log-log figure of a measured spectrum, its law and interval drawn over the data."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectral_rank.figures.palette import BLUE, GREY, ORANGE
from spectral_rank.measurement.measurement import Measurement
from spectral_rank.measurement.words import LAW_NAMES, interval
from spectral_rank.spectra.laws import LAWS, Indices, log_values
from spectral_rank.spectra.marchenko_pastur import expected_singular_values
from spectral_rank.spectra.report import LawFit
from spectral_rank.spectra.spectrum import FloatArray


def draw(measurement: Measurement, path: Path) -> None:
    """Write the figure of one matrix; the format follows the suffix.

    Args:
        measurement: what was measured.
        path: file to write, ``.svg``, ``.png`` or ``.pdf``.
    """
    with mpl.rc_context({"svg.hashsalt": "spectral-rank", "font.size": 10}):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.add_subplot()
        _draw_values(axes, measurement)
        _draw_law(axes, measurement)
        _draw_noise(axes, measurement)
        rows, cols = measurement.spectrum.shape
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="index $i$ of the singular value",
            ylabel=r"singular value $\sigma_i$",
            title=f"{measurement.spectrum.name} ({rows} x {cols}): {_headline(measurement)}",
        )
        axes.title.set_fontsize(10)
        # The law of noise falls to zero at the last index; the data set the range.
        positive = measurement.spectrum.array[measurement.spectrum.array > 0]
        axes.set_ylim(positive[-1] / 2, positive[0] * 2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
        figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)


def _headline(measurement: Measurement) -> str:
    if measurement.exponent is not None:
        return rf"power law, $\alpha$ = {interval(measurement.exponent, '.2f')}"
    names = {"noise": "no structure", "flat": "flat, as an orthogonal matrix"}
    verdict = measurement.fit.verdict
    return names.get(verdict, LAW_NAMES.get(verdict, verdict))


def _draw_values(axes: Axes, measurement: Measurement) -> None:
    values, fit = measurement.spectrum.array, measurement.fit
    index = np.arange(1, len(values) + 1)
    used = (index >= fit.first) & (index <= fit.last) & bool(fit.laws)
    # A zero has no place on a logarithmic axis.
    left_out = ~used & (values > 0)
    axes.plot(index[used], values[used], ".", color=BLUE, markersize=4, label="fit range")
    if left_out.any():
        axes.plot(
            index[left_out], values[left_out], "x", color=GREY, markersize=4, label="left out"
        )


def _draw_law(axes: Axes, measurement: Measurement) -> None:
    fit = measurement.fit
    if fit.winner is None or fit.verdict in {"noise", "flat"}:
        return
    law = fit.law(fit.winner)
    first = fit.first_index
    indices = Indices(first, first + fit.last - fit.first, _aspect(measurement))
    position = indices.index + fit.first - first
    curve = _curve(law, indices)
    label = f"{LAW_NAMES[law.law]} (best of {len(fit.laws)} laws)"
    axes.plot(position, curve, color=ORANGE, linewidth=1.5, label=label)
    if (exponent := measurement.exponent) is not None:
        pivot = np.exp(indices.log_index.mean())
        ends = [
            curve * (indices.index / pivot) ** (exponent.value - end)
            for end in (exponent.low, exponent.high)
        ]
        level = f"{100 * fit.level:.0f} % interval of the exponent"
        axes.fill_between(position, *ends, color=ORANGE, alpha=0.25, linewidth=0, label=level)


def _draw_noise(axes: Axes, measurement: Measurement) -> None:
    null = measurement.fit.null_model
    if null is None or null.is_flat or null.entry_deviation == 0:
        return
    count, longer = len(measurement.spectrum.values), max(measurement.spectrum.shape)
    noise = expected_singular_values(_aspect(measurement), count)
    axes.plot(
        np.arange(1, count + 1),
        noise * null.entry_deviation * longer**0.5,
        color=GREY,
        linewidth=1,
        linestyle="--",
        label="unstructured matrix with the same bulk",
    )


def _curve(law: LawFit, indices: Indices) -> FloatArray:
    """The law at its fitted parameters."""
    definition = next(entry for entry in LAWS if entry.name == law.law)
    parameters = np.array(
        [
            np.log(parameter.value) if parameter.name in definition.logarithmic else parameter.value
            for parameter in law.parameters
        ]
    )
    return np.exp(log_values(definition, indices, parameters))


def _aspect(measurement: Measurement) -> float:
    return min(measurement.spectrum.shape) / max(measurement.spectrum.shape)
