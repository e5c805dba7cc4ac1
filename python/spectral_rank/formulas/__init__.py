"""Every definition of the Lean library as one function, under its name in snake case."""
