"""Lamina: a layered deep-learning library on PyTorch."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
