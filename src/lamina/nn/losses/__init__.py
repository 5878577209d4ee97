"""Losses that know how a model's output is read: as probabilities, and as answers.

`activation` gives the former, `decodes` the latter. Predictions and targets may have any number of
dimensions; their elements are compared one by one and nothing is ever broadcast: `(batch, 1)` goes
with `(batch,)`, and shapes that do not belong together are refused.
"""

from lamina.nn.losses.composed import CombinedLoss, DiceLoss, NoneReduce
from lamina.nn.losses.elementwise import BCELossFlat, BCEWithLogitsLossFlat, L1LossFlat, MSELossFlat
from lamina.nn.losses.flat import FlatLoss
from lamina.nn.losses.labels import (
    CrossEntropyLossFlat,
    FocalLoss,
    FocalLossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
)
from lamina.nn.losses.weights import class_weights, positive_weights

__all__ = [
    "BCELossFlat",
    "BCEWithLogitsLossFlat",
    "CombinedLoss",
    "CrossEntropyLossFlat",
    "DiceLoss",
    "FlatLoss",
    "FocalLoss",
    "FocalLossFlat",
    "L1LossFlat",
    "LabelSmoothingCrossEntropy",
    "LabelSmoothingCrossEntropyFlat",
    "MSELossFlat",
    "NoneReduce",
    "class_weights",
    "positive_weights",
]
