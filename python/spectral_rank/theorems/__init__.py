"""What each theorem of the Lean library says, in a form that can be checked.

One module per Lean file, one `Theorem` per Lean theorem.  ``registry`` finds them by name.
"""
