"""Recipes: one file per method, each a function that returns its stages as data."""
