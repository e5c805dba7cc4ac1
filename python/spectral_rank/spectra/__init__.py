"""Measuring the spectra of real matrices: values, laws, effective ranks, each with an interval."""
