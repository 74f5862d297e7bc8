"""`python -m training`: its commands, their lines, and how they end."""
