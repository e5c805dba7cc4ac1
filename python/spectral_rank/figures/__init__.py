"""Figures, each made from formulas or stored results by one command."""
