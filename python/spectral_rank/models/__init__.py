"""Torch modules: deep linear networks for time series, structured layers, and baselines."""
