"""What outlives a page: jobs, each of a kind that `kinds` knows, done by a process `python -m training.jobs ID` of its own."""
