"""`TabularClassifier` and `TabularRegressor`: the networks as estimators of scikit-learn."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from lamina.data.block import CategoryBlock, RegressionBlock, TransformBlock
from lamina.foundation.errors import ContractError, DataError
from lamina.tabular.answers.prediction import run_model
from lamina.tabular.core import Tabular
from lamina.tabular.encoding.frames import as_frame
from lamina.tabular.learner import tabular_learner
from lamina.tabular.recipe import encode_rows

__all__ = ["TabularClassifier", "TabularRegressor"]

_MIN_STEPS, _MAX_EPOCHS = 400, 100


class _TabularEstimator(BaseEstimator):
    """The common part: rows of arrays or frames, training, outputs."""

    def __init__(
        self,
        *,
        model: str = "mlp",
        layers: Sequence[int] | None = None,
        numbers: Any = None,
        config: Mapping[str, Any] | None = None,
        categorical_features: Any = "auto",
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float = 0.01,
        random_state: Any = None,
    ) -> None:
        self.model, self.layers, self.numbers, self.config = model, layers, numbers, config
        self.categorical_features, self.epochs = categorical_features, epochs
        self.batch_size, self.lr, self.random_state = batch_size, lr, random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        return tags

    def _fit(self, columns: dict[Any, Any], targets: dict[Any, Any], block: TransformBlock) -> None:
        """Train a network on columns by name; only the network and the recipe are kept."""
        where = type(self).__name__
        if self.epochs is not None and self.epochs < 1:
            raise ContractError(f"{where}: epochs={self.epochs}. Give 1 or more, or None.")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        cats = self._categories(columns)
        conts = [name for name in columns if name not in cats]
        to = Tabular({**columns, **targets}, None, cats, conts, list(targets), block)
        if (n := len(to)) < 2:
            raise DataError(f"{where}: fit got {n} row to learn from. Give at least 2.")
        bs = min(n, self.batch_size or (64 if n < 10_000 else 256))
        epochs = self.epochs or min(_MAX_EPOCHS, max(5, math.ceil(_MIN_STEPS / (n // bs))))
        dls = to.dataloaders(bs=bs, seed=seed, device="cpu")
        learn = tabular_learner(
            dls,
            self.layers,
            config=self.config,
            model=self.model,
            numbers=self.numbers,
            default_cbs=False,
            seed=seed,
        )
        learn.fit_one_cycle(epochs, self.lr)
        # In double precision a row has the same answer alone and among others.
        self.network_, self.recipe_ = learn.model.eval().double(), to.recipe

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        cats, conts = encode_rows(self.recipe_, self._columns(X, reset=False))
        return run_model(self.network_, cats, conts.double()).numpy()

    def _columns(self, X: Any, *, reset: bool) -> dict[Any, Any]:
        """Check the rows as scikit-learn does, and return them as columns by name."""
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            frame = as_frame(X)
            return {name: _values(frame, name) for name in frame.names}
        rows: Any = validate_data(
            self,
            X,
            reset=reset,
            dtype="numeric",
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if reset else 1,
        )
        return {f"x{i}": np.array(column) for i, column in enumerate(rows.T)}

    def _categories(self, columns: dict[Any, Any]) -> list[Any]:
        given = self.categorical_features
        if isinstance(given, str) and given == "auto":
            return [name for name, values in columns.items() if values.dtype.kind in "Ob"]
        names = list(columns)
        wanted = np.asarray([] if given is None else given)
        kind, n = wanted.dtype.kind, len(names)
        if kind == "b" and len(wanted) == n:
            return [name for name, is_wanted in zip(names, wanted, strict=True) if is_wanted]
        known = {"b": (), "i": range(-n, n)}.get(kind, names)
        if unknown := [name for name in wanted.tolist() if name not in known]:
            what = f"{type(self).__name__}: categorical_features names {unknown}, but the columns"
            raise DataError(f"{what} are {names}. Give names, positions, or a mask of all columns.")
        return [names[i] for i in wanted] if kind == "i" else wanted.tolist()


class TabularClassifier(ClassifierMixin, _TabularEstimator):
    """A network for one label per row, as an estimator of scikit-learn.

    Rows are arrays of numbers, or frames of any columns; gaps are filled. The global random state
    is not touched.

    Args:
        model: "mlp", "ft_transformer" or "tabm"; see `tabular_learner`.
        layers: Sizes of the hidden layers.
        numbers: None, "periodic" or "piecewise".
        config: Further options of the network.
        categorical_features: Names, positions or a mask; "auto" takes texts, categories and truth
            values of a frame.
        epochs: Passes over the rows; None takes at least 400 steps, and 5 to 100 epochs.
        batch_size: Rows per step; None takes 64, from 10,000 rows on 256.
        lr: The highest learning rate of the one-cycle schedule.
        random_state: Makes the result repeatable.

    Example:
        >>> X = np.linspace(-1, 1, 100)[:, None]
        >>> labels = np.where(X[:, 0] > 0, "high", "low")
        >>> clf = TabularClassifier(layers=[16], random_state=0).fit(X, labels)
        >>> clf.predict([[0.9], [-0.9]]).tolist()
        ['high', 'low']
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows `X` with labels `y`.

        Raises:
            DataError: There is only one class.
        """
        columns = self._columns(X, reset=True)
        labels = column_or_1d(_target(self, y, dtype=None), warn=True)
        check_classification_targets(labels)
        _same_length(columns, labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            what = f"{type(self).__name__}: all labels are of one class, {self.classes_[0]!r}"
            raise DataError(f"{what}. Give rows of at least two classes.")
        self._fit(columns, {_TARGET: codes}, CategoryBlock(list(range(len(self.classes_)))))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        logits = self._outputs(X)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each row."""
        best = self._outputs(X).argmax(1)
        return self.classes_[best]


class TabularRegressor(RegressorMixin, _TabularEstimator):
    """A network for one or several numbers per row, as an estimator of scikit-learn.

    The numbers are brought to mean 0 and deviation 1 for training. Else it is as
    `TabularClassifier`, where the parameters are explained.

    Example:
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> reg = TabularRegressor(layers=[16], random_state=0).fit(X, 100 * X[:, 0])
        >>> bool(abs(reg.predict([[0.5]])[0] - 50) < 10)
        True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows `X` with numbers `y`, `(n,)` or `(n, k)`."""
        columns = self._columns(X, reset=True)
        numbers = _target(self, y, dtype=np.float64)
        _same_length(columns, numbers)
        self.n_outputs_ = 1 if numbers.ndim == 1 else numbers.shape[1]
        self._is_flat = numbers.ndim == 1
        self.mean_, self.scale_ = numbers.mean(0), numbers.std(0)
        self.scale_ = np.where(self.scale_ > 0, self.scale_, 1.0)
        scaled = ((numbers - self.mean_) / self.scale_).reshape(len(numbers), -1)
        targets = {f"{_TARGET}{i}": np.array(column) for i, column in enumerate(scaled.T)}
        self._fit(columns, targets, RegressionBlock())
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the numbers of each row."""
        out = self._outputs(X)
        return (out[:, 0] if self._is_flat else out) * self.scale_ + self.mean_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


_TARGET = "__target__"


def _values(frame: Any, name: Any) -> np.ndarray:
    """A column as numbers, or as objects where it holds anything else."""
    if frame.kind(name) in "iuf" and not frame.is_ordered(name):
        return frame.numbers(name).numpy()
    return frame.objects(name)


def _target(estimator: Any, y: Any, dtype: Any) -> np.ndarray:
    if y is None:
        where = type(estimator).__name__
        raise DataError(f"{where}: fit requires y to be passed, but the target y is None.")
    return check_array(y, ensure_2d=False, dtype=dtype, input_name="y")


def _same_length(columns: dict[Any, Any], y: Any) -> None:
    n = len(next(iter(columns.values())))
    if n != len(y):
        raise DataError(f"fit: {n} rows, but {len(y)} targets. Give one target for each row.")
