"""What Evaluate renders: evaluations side by side, measuring a model, the playground."""
