"""Runs every theorem's checks and mutants and compares the registry with the Lean sources."""
