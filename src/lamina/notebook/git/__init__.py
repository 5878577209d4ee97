"""Notebooks under version control: differences, merges, repairs, drivers and hooks."""
