"""What a network learnt about categories, for models of scikit-learn."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from lamina.foundation.errors import DataError
from lamina.tabular.encoding.columns import Columns
from lamina.tabular.encoding.frames import as_frame

__all__ = ["EmbeddingEncoder"]


class EmbeddingEncoder(TransformerMixin, BaseEstimator):
    """Columns of categories to the vectors that a network learnt; other columns pass.

    Gaps and levels that the network did not know get the vector of `#na#`.

    Args:
        tables: For each column a frame with a row per level, `#na#` first:
            `learn.embeddings()`.

    Example:
        >>> table = pd.DataFrame({"job_0": [0.0, 0.5], "job_1": [0.0, -1.0]}, ["#na#", "cook"])
        >>> rows = pd.DataFrame({"age": [30, 40], "job": ["cook", "poet"]})
        >>> EmbeddingEncoder({"job": table}).fit_transform(rows).values.tolist()
        [[30.0, 0.5, -1.0], [40.0, 0.0, 0.0]]

    Source: Guo & Berkhahn 2016, "Entity embeddings of categorical variables".
    """

    def __init__(self, tables: Mapping[Any, pd.DataFrame]) -> None:
        self.tables = tables

    def fit(self, X: Any, y: object = None) -> Self:
        """Look which of the columns are there; nothing else is learnt.

        Args:
            X: A frame of pandas, polars or Arrow.
            y: Not used.

        Raises:
            DataError: It is no frame, or has none of the columns.
        """
        names = list(as_frame(X).names)
        self.columns_ = [name for name in self.tables if name in names]
        if not self.columns_:
            raise DataError(
                f"EmbeddingEncoder: the frame has columns {names}, the tables are for "
                f"{list(self.tables)}. Give a frame with at least one of these."
            )
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the frame, as one of pandas, with vectors in place of categories.

        Raises:
            DataError: A column is missing.
        """
        check_is_fitted(self)
        X = X if hasattr(X, "iloc") else Columns(X).table(as_frame(X).names)
        if missing := [name for name in self.feature_names_in_ if name not in X.columns]:
            raise DataError(f"EmbeddingEncoder: the frame lacks the columns {missing}. Add them.")
        rest = [name for name in self.feature_names_in_ if name not in self.columns_]
        return pd.concat([X[rest], *(self._vectors(X[name]) for name in self.columns_)], axis=1)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        check_is_fitted(self)
        rest = [name for name in self.feature_names_in_ if name not in self.columns_]
        made = [column for name in self.columns_ for column in self.tables[name].columns]
        return np.array([*rest, *made], dtype=object)

    def _vectors(self, column: Any) -> pd.DataFrame:
        table = self.tables[column.name]
        at = table.index.astype(object).get_indexer(pd.Index(column.astype(object)))
        return table.iloc[np.maximum(at, 0)].set_axis(column.index)  # -1, unknown, is `#na#`
