"""What ``spectral-rank measure`` says of the matrices of a file: record, words, table, figure."""
