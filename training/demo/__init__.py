"""The demo: generated word problems of GSM8K's shape, and the small model that is trained on them."""
