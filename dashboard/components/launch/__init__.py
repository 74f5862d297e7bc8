"""What Launch renders: presets, settings, rewards, what speaks against the run."""
