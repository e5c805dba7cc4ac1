"""Deep linear networks for time series: many layers in training, one matrix at inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from spectral_rank.formulas.domain import DomainError, integer
from spectral_rank.models.linear_stack import LinearStack, Start, check_last_dimension
from spectral_rank.models.multi_scale import block_average, check_scales
from spectral_rank.models.temporal_mixing import TemporalMixing


class DeepLinearTimeSeries(nn.Module):
    """A forecaster that is linear in its window: mixing in time, a pyramid, deep linear stacks.

    The window passes the ``mixing`` layers, is averaged at every scale, each average goes through
    a stack of ``depth`` linear layers of its own, and the forecasts of the scales are added up.

    While gradients are recorded the network works layer by layer.  Without them
    (``torch.no_grad``, ``torch.inference_mode``) it multiplies by the one equivalent matrix, which
    it keeps until a parameter changes.  Only changes through ``.data`` escape its notice.

    Attributes:
        linear_in_input: whether the network is a linear map of its window.

    Args:
        lookback: length of the window, >= 1.
        horizon: number of values to forecast, >= 1.
        depth: number of layers of each stack, >= 1.
        width: width between the layers, >= 1; by default the smaller of a stack's input and output,
            beyond which a balanced start gains nothing.
        channels: number of series that are mixed.  1, the default, maps every series by itself.
        scales: block lengths of the pyramid, each in ``[1, lookback]``.
        mixing: layers of length ``lookback``, applied in this order.
        residual: whether square layers are ``I + A / depth``.
        anchored: whether the newest value of each series is subtracted from its window and added to
            its forecast; this is linear too.
        start: start of the layers, as in `LinearStack`.
        gain: singular values of the product of each stack at a balanced start.
        dtype: floating-point type of the parameters.
        generator: source of randomness.

    Raises:
        DomainError: if an argument is outside its domain.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        depth: int = 4,
        width: int | None = None,
        *,
        channels: int = 1,
        scales: Sequence[int] = (1,),
        mixing: Sequence[TemporalMixing] = (),
        residual: bool = False,
        anchored: bool = False,
        start: Start = "balanced",
        gain: float = 0.5,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.lookback = integer("lookback", lookback, at_least=1)
        self.horizon = integer("horizon", horizon, at_least=1)
        self.channels = integer("channels", channels, at_least=1)
        self.depth = integer("depth", depth, at_least=1)
        self.scales = check_scales(scales, self.lookback)
        self.anchored = anchored
        for layer in mixing:
            if not isinstance(layer, TemporalMixing) or layer.length != self.lookback:
                raise DomainError("mixing", mixing, f"temporal layers of length {self.lookback}")
        self.mixing = nn.ModuleList(mixing)
        self.stacks = nn.ModuleList()
        for index, scale in enumerate(self.scales):
            average = block_average(self.lookback, scale, dtype)
            self.register_buffer(f"average_{index}", average, persistent=False)
            inner = min(len(average), self.horizon) * self.channels if width is None else width
            hidden = [integer("width", inner, at_least=1)] * (self.depth - 1)
            widths = [len(average) * self.channels, *hidden, self.horizon * self.channels]
            self.stacks.append(
                LinearStack(
                    widths,
                    start=start,
                    gain=gain,
                    residual=residual,
                    dtype=dtype,
                    generator=generator,
                )
            )
        self.linear_in_input = all(layer.linear_in_input for layer in mixing)
        self.register_load_state_dict_post_hook(_watch_parameters)  # type: ignore[no-untyped-call]
        self._watch()

    def forward(self, x: Tensor) -> Tensor:
        """Forecast.

        Args:
            x: windows, oldest value first: ``(..., lookback)`` for one channel, where all other
                dimensions count series; ``(..., channels, lookback)`` for more.

        Returns:
            Forecasts, ``(..., horizon)`` or ``(..., channels, horizon)``.

        Raises:
            DomainError: if ``x`` has not this shape.
        """
        self._check_window(x)
        if torch.is_grad_enabled() or not self.linear_in_input:
            return self._layer_by_layer(x).sum(0)
        return self._split(functional.linear(self._join(x), self._collapsed_map()))

    def contributions(self, x: Tensor) -> Tensor:
        """What each scale adds to the forecast, shape ``(scales, *forecast)``; they sum to it.

        The newest value of an anchored network counts with the first scale.
        """
        self._check_window(x)
        return self._layer_by_layer(x)

    def collapse(self) -> Tensor:
        """The one matrix that the network is, shape ``(channels * horizon, channels * lookback)``.

        Rows and columns run over the channels first: the entry ``(c * horizon + h, b * lookback +
        t)`` is the weight of the value ``t`` of the series ``b`` in the forecast ``h`` of ``c``.

        Raises:
            DomainError: if a mixing layer is not linear in its input.
        """
        return self.collapse_scales().sum(0)

    def collapse_scales(self) -> Tensor:
        """The matrix of each scale, shape ``(scales, ...)``; they sum to that of `collapse`.

        Raises:
            DomainError: if a mixing layer is not linear in its input.
        """
        identity = torch.eye(self.lookback, dtype=self._averages()[0].dtype, device=self._device())
        mixed = identity
        for layer in self._mixing_layers():
            mixed = layer.matrix() @ mixed
        if self.anchored:
            newest = identity[-1:]
            mixed = mixed - mixed.sum(1, keepdim=True) * newest
        maps = [
            stack.collapse() @ _once_per_channel(average @ mixed, self.channels)
            for stack, average in zip(self._stacks(), self._averages(), strict=True)
        ]
        if self.anchored:
            repeated = newest.expand(self.horizon, -1)
            maps[0] = maps[0] + _once_per_channel(repeated, self.channels)
        return torch.stack(maps)

    def _layer_by_layer(self, x: Tensor) -> Tensor:
        newest = x[..., -1:]
        mixed = x - newest if self.anchored else x
        for layer in self._mixing_layers():
            mixed = layer(mixed)
        parts = [
            self._split(stack(self._join(functional.linear(mixed, average))))
            for stack, average in zip(self._stacks(), self._averages(), strict=True)
        ]
        if self.anchored:
            parts[0] = parts[0] + newest
        return torch.stack(parts)

    def _watch(self) -> None:
        """Forget the collapsed map, and from now on compare the parameters that are here now."""
        self._watched = tuple(self.parameters())
        self._collapsed: tuple[list[int], Tensor] | None = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._watch()
        return self

    def _collapsed_map(self) -> Tensor:
        """The collapsed map, computed again only after a parameter changed."""
        versions = [parameter._version for parameter in self._watched]
        if self._collapsed is None or self._collapsed[0] != versions:
            self._collapsed = (versions, self.collapse())
        return self._collapsed[1]

    def _check_window(self, x: Tensor) -> None:
        check_last_dimension("x", x, self.lookback)
        if self.channels > 1 and (x.ndim < 2 or x.shape[-2] != self.channels):
            rule = f"a tensor of shape (..., {self.channels}, {self.lookback})"
            raise DomainError("x", tuple(x.shape), rule)

    def _join(self, x: Tensor) -> Tensor:
        """All mixed channels in one vector."""
        return x.flatten(-2) if self.channels > 1 else x

    def _split(self, y: Tensor) -> Tensor:
        return y.reshape(*y.shape[:-1], self.channels, self.horizon) if self.channels > 1 else y

    def _stacks(self) -> list[LinearStack]:
        return list(self.stacks)  # type: ignore[arg-type]

    def _mixing_layers(self) -> list[TemporalMixing]:
        return list(self.mixing)  # type: ignore[arg-type]

    def _averages(self) -> list[Tensor]:
        return [self.get_buffer(f"average_{index}") for index in range(len(self.scales))]

    def _device(self) -> torch.device:
        return self._averages()[0].device


def _once_per_channel(block: Tensor, channels: int) -> Tensor:
    """The block-diagonal matrix that applies ``block`` to each channel by itself."""
    return torch.kron(torch.eye(channels, dtype=block.dtype, device=block.device), block)


def _watch_parameters(module: nn.Module, _: object) -> None:
    """Loading may replace the parameter objects themselves (``assign=True``)."""
    if isinstance(module, DeepLinearTimeSeries):
        module._watch()
