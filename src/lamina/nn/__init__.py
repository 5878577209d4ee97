"""Building blocks and architectures as plain `torch.nn` modules; no hook, no tensor subclass.

Shapes in this rung: `b` batch, `c` channels, `h w` height and width, `n` features, `*` any number
of spatial dimensions.
"""
