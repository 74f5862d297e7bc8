"""What Explore and Insights render: the map, what is chosen on it, what was measured of it."""
