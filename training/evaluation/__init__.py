"""The article's measures of a model, paired comparisons, and the job that evaluates."""
