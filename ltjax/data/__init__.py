"""Data: sources, the long-tail protocol, splits and their hashes (NumPy only)."""
