"""Deep linear networks: balance, metric, mode flow, depth operator, dynamics, entropy."""
