"""Whole networks, with the state-dict names under which their weights are published."""
