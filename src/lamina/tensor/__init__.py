"""Tensors: the only rung that knows tensor subclasses.

Semantic types, tensors in nested containers, devices, collation, randomness and safe files.
"""
