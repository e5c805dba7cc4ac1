"""Spectral Rank: low rank in recurrent and deep linear networks, proved, checked and measured.

One theorem has one identity, its Lean name.  ``formulas`` holds every definition of the Lean
library as one function, ``theorems`` what each theorem says in executable form, ``checking`` runs
these statements against symbolic algebra, ball arithmetic and random search.
"""

__version__ = "0.1.0"
