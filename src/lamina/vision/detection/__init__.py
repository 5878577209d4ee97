"""Finding objects: the model, its targets and loss, what becomes of its output, and the measure."""
