"""Packages written as notebooks."""
