"""Jobs from outside: launching them, comparing them with what their clusters know, deleting them."""
