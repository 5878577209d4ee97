"""Optimizers as lists of small functions.

A stat remembers something about the gradients, a stepper changes the parameters; an `Optimizer`
runs a list of them. The recipes (`Adam`, `SGD`) are such lists, schedules say how a
hyper-parameter changes over training, and `OptimWrapper` takes any optimizer of PyTorch.
"""
