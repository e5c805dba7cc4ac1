"""Training: loops, and what is measured along the way (balance, rank, jumps)."""
