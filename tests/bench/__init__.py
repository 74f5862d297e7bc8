"""Benchmarks, run by hand or by `make bench`: each prints what it measured and its ratio; none is a test."""
