"""Judges: models that score completions, as a whole or step by step; how steps are found, and one figure made of several."""
