"""The training run as a job: TRL's part, and all that its processes do besides."""
