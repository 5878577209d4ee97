"""Notebooks run as tests: each in a fresh kernel, several at a time, and as items of pytest."""
