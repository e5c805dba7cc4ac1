"""Real data: time series that ship with installed packages, and any local file."""
