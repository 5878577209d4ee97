"""Drawing: the only rung that uses matplotlib, which loads when the first figure is drawn.

Everything array-like can be drawn: NumPy arrays, PIL images, and tensors of any library.
"""
