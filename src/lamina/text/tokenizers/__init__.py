"""Tokenizers: what cuts texts into tokens, and joins them again."""
