"""Heads (features -> outputs): classifiers, one file each."""
