"""Metrics: what is measured besides the loss.

A metric is a function of predictions and targets, averaged over batches, or a `Metric` that
gathers what it needs and works out its value at the end.
"""
