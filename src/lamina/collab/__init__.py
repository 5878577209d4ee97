"""Collaborative filtering: who likes what, from ratings or from what was chosen."""
