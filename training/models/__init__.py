"""What is on disk and elsewhere of a trained model: checkpoints, their copies, merged models."""
