"""Generative adversarial networks: two networks in one model, and callbacks that take turns."""
