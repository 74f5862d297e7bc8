"""What a run's records tell: health signals, advantages under other weights, pages of rollouts, the report."""
