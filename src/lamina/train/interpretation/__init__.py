"""What a model gets wrong: the items with the highest losses, and the labels that it confuses.

Losses, predictions and targets are kept, inputs are not: what is shown is read again by its index.
"""

from lamina.train.interpretation.items import Interpretation
from lamina.train.interpretation.labels import ClassificationInterpretation

__all__ = ["ClassificationInterpretation", "Interpretation"]
