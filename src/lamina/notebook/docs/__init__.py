"""The documentation of a project: pages from notebooks, reference from docstrings, one site."""
