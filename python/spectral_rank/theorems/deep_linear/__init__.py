"""Entries for the files of ``lean/SpectralRank/DeepLinear``."""
