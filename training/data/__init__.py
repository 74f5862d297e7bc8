"""Problems: what one is, and where they come from."""
