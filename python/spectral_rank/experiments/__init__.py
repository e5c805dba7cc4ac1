"""How a question of the research plan is put to the test: records, runs, verdicts, summary.

The questions themselves stand in the repository's ``experiments/`` folder, one file each.
"""
