"""Where Unsloth is installed, it is imported before TRL, as the training process does."""

import importlib.util

if importlib.util.find_spec("unsloth") is not None:
    from training.engines import engine_named

    engine_named("unsloth")
