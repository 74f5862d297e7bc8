"""What pages of every kind render: errors, links, tables, charts, the frame around them."""
