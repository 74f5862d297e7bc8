"""What models make of each token of recorded completions: log-probability and entropy there, and two models side by side."""
