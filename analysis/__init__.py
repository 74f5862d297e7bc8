"""From problems to a map: embeddings, neighbours, layout, findings and exports, each stage cached by its content."""
