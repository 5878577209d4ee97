"""Collaborative filtering: who will like what."""
