"""What Runs renders: the list, one run as it goes on, several beside each other."""
