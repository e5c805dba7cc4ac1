"""Forecasters to compare with: windows ``(batch, lookback)`` to forecasts ``(batch, horizon)``."""
