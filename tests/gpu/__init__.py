"""Checks and measurements on a machine with a CUDA GPU: `make test-gpu`."""
