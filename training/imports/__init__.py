"""Rollouts that other trainers logged: what is read of their files, and which problem each is of."""
