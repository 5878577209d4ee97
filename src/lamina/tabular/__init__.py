"""Tabular data: frames in, tensors out, models over columns."""
