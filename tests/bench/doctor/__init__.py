"""The doctor's record: scenarios by stated processes and real runs, and what the signals say of them."""
