"""Recurrent networks for byte-level language: Elman, E5 and linear, each dense or of low rank."""
