"""From frames to tensors: columns of any library, targets, rows."""
