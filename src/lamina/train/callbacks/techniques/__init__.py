"""Callbacks that change how a model is trained, one technique per file."""
