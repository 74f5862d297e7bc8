"""What loads a model for training and evaluation. An engine is a module with `load_model`."""
