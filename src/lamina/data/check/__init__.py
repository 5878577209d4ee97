"""The data doctor: faults of the data, found before training. `DataLoaders.check` starts it."""
