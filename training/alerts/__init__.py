"""Whom a run tells what happens to it: channels of `alerts.toml`, sent through apprise."""
