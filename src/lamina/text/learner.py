"""`language_model_learner`, `text_classifier_learner`, and passing the reader on between them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from torch import nn

from lamina.foundation.errors import refuse_unknown
from lamina.foundation.registry import savable
from lamina.foundation.signatures import signature_names
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.text.answers.generation import generate
from lamina.text.callbacks import ModelResetter, RNNRegularizer
from lamina.text.models.awd_lstm import AWD_LSTM
from lamina.text.models.build import (
    classifier_groups,
    find_reader,
    get_language_model,
    get_text_classifier,
    language_model_groups,
    reader_of,
)
from lamina.text.models.transfer import load_words, published_files, read_published, read_words
from lamina.text.padding import ReverseText
from lamina.text.vocab import text_vocab
from lamina.train.infer import infer
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec

__all__ = [
    "LMLearner",
    "TextLearner",
    "TextLearnerArgs",
    "language_model_learner",
    "text_classifier_learner",
]


class TextLearnerArgs(LearnerArgs, total=False):
    """Keyword arguments of the learners of texts that go on to `TextLearner`."""

    alpha: float
    beta: float


class TextLearner(Learner):
    """A learner of texts whose reader can be passed on to another one.

    Args:
        dls: The loaders.
        model: A language model or a classifier of texts.
        alpha: How small activations are kept (AR); see `RNNRegularizer`.
        beta: How slow they change (TAR).
        options: Of `Learner`; `moms` are (0.8, 0.7, 0.8) unless given.
    """

    def __init__(
        self,
        dls: Any,
        model: nn.Module,
        alpha: float = 2.0,
        beta: float = 1.0,
        **options: Unpack[LearnerArgs],
    ) -> None:
        options.setdefault("moms", (0.8, 0.7, 0.8))
        super().__init__(dls, model, **options)
        if hasattr(model, "reset"):
            self.add_cb(ModelResetter())
        if hasattr(model, "activations") and (alpha or beta):
            self.add_cb(RNNRegularizer(alpha, beta))

    def save_encoder(self, file: str | Path) -> Path:
        """Save the reader and its words.

        Args:
            file: A name in the learner's model folder.

        Returns:
            The path of the file.
        """
        path = self._encoder_path(file)
        weights = {k: v.detach().cpu() for k, v in reader_of(self.model).state_dict().items()}
        write_bundle(path, {"weights": weights, "vocab": text_vocab(self.dls)}, kind="encoder")
        return path

    def load_encoder(self, file: str | Path) -> "TextLearner":
        """Load a reader that `save_encoder` wrote; vectors go by word, new words get the mean.

        Args:
            file: A name in the learner's model folder, or a path.

        Raises:
            BundleError: There is no such file, or it is not one of a reader.
            ContractError: The reader has other sizes.
        """
        state = read_bundle(self._encoder_path(file), kind="encoder").object
        load_words(reader_of(self.model), state["weights"], state["vocab"], text_vocab(self.dls))
        return self

    def load_pretrained(self, wgts_fname: str | Path, vocab_fname: str | Path) -> "TextLearner":
        """Load a published language model, or only its reader into a classifier, and freeze.

        Args:
            wgts_fname: The file of weights.
            vocab_fname: The file of their words.

        Raises:
            BundleError: The files hold something else.
            ContractError: The weights have other sizes than the model.
        """
        weights, words = read_published(wgts_fname), read_words(vocab_fname)
        if hasattr(self.model, "decoder"):
            load_words(self.model, weights, words, text_vocab(self.dls))
        else:
            reader = {k.removeprefix("encoder."): v for k, v in weights.items()}
            load_words(reader_of(self.model), reader, words, text_vocab(self.dls))
        self.freeze()
        return self

    def fit_gradually(self, n_epoch: int = 2, lr: float = 2e-2, decay: float = 2.6) -> None:
        """Train the last group for an epoch, then the last two, the last three, and all.

        Each time the rate falls to a half, at the end to a twentieth; groups nearer to the words
        learn more slowly.

        Args:
            n_epoch: Epochs in which all groups train.
            lr: The rate of the last group in the first epoch.
            decay: By what the rate falls from one group to the one before.

        Source: Howard & Ruder 2018, "Universal Language Model Fine-tuning", section 3.3.
        """
        for i in range(3):
            self.freeze_to(-1 - i)
            rate = lr / 2**i
            self.fit_one_cycle(1, slice(rate / decay**4, rate) if i else rate)
        self.unfreeze()
        self.fit_one_cycle(n_epoch, slice(lr / 20 / decay**4, lr / 20))

    def _encoder_path(self, file: str | Path) -> Path:
        path = Path(self.path) / self.model_dir / file
        path = path.with_suffix(".safetensors")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @staticmethod
    @savable("lamina.text:text_learner")
    def rebuild(  # pyright: ignore[reportIncompatibleVariableOverride] - None becomes a function
        dls: Any, model: nn.Module, loss_func: Callable[..., Any]
    ) -> "TextLearner":
        """Make the learner that `load_learner` returns."""
        return TextLearner(dls, model, loss_func=loss_func)


class LMLearner(TextLearner):
    """A learner of a language model: `predict(text, n_words)` goes on with a text."""

    predict = generate

    @staticmethod
    @savable("lamina.text:lm_learner")
    def rebuild(dls: Any, model: nn.Module, loss_func: Callable[..., Any]) -> "LMLearner":
        """Make the learner that `load_learner` returns."""
        return LMLearner(dls, model, loss_func=loss_func)


def language_model_learner(
    dls: Any,
    arch: str | Callable[..., nn.Module] = AWD_LSTM,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    *,
    backwards: bool | None = None,
    pretrained: bool = True,
    pretrained_fnames: tuple[str | Path, str | Path] | None = None,
    **options: Unpack[TextLearnerArgs],
) -> LMLearner:
    """A learner of a language model: which word comes next.

    Args:
        dls: Loaders of streams, such as `TextDataLoaders.from_df(..., is_lm=True)`.
        arch: A reader in `READERS`, or its name: `AWD_LSTM`, `AWD_QRNN`.
        config: What differs from the reader's settings, such as `{"n_layers": 2}`.
        drop_mult: What all dropouts are multiplied by; smaller for more data.
        backwards: Whether texts are read from the end, which decides which published weights are
            meant; None asks the loaders.
        pretrained: Whether to start from the published weights; all but the last group are frozen
            then.
        pretrained_fnames: Files of weights and words to start from in place of these: paths, or
            names in the model folder.
        options: `alpha` and `beta` (see `TextLearner`), and those of `Learner`.

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no reader of that name.
        ContractError: No weights are published for the reader, or they have other sizes.
        DownloadError: The published weights can't be had.

    Source: Merity, Keskar & Socher 2017, "Regularizing and Optimizing LSTM Language Models".
    """
    _check_names(language_model_learner, options)
    spec = ModelSpec(
        get_language_model,
        {
            "arch": find_reader(arch),
            "vocab_sz": len(text_vocab(dls)),
            "config": dict(config or {}),
            "drop_mult": drop_mult,
        },
    )
    options.setdefault("splitter", language_model_groups)
    learn = LMLearner(dls, spec.build(), **options)
    learn.model_spec = spec
    if pretrained or pretrained_fnames:
        learn.load_pretrained(*_files(learn, pretrained_fnames, backwards=backwards))
    return learn


def text_classifier_learner(  # noqa: PLR0913 - the known signature
    dls: Any,
    arch: str | Callable[..., nn.Module] = AWD_LSTM,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    *,
    backwards: bool | None = None,
    pretrained: bool = True,
    pretrained_fnames: tuple[str | Path, str | Path] | None = None,
    drop_mult: float = 0.5,
    n_out: int | None = None,
    lin_ftrs: Sequence[int] | None = None,
    ps: Sequence[float] | None = None,
    max_len: int | None = 72 * 20,
    y_range: tuple[float, float] | None = None,
    **options: Unpack[TextLearnerArgs],
) -> TextLearner:
    """A learner of labels, or numbers, of texts.

    Args:
        dls: Loaders of texts, such as `TextDataLoaders.from_df(...)`.
        arch: A reader in `READERS`, or its name: `AWD_LSTM`, `AWD_QRNN`.
        seq_len: Most words that are read at a time; the gradient does not cross them.
        config: What differs from the reader's settings.
        backwards: See `language_model_learner`.
        pretrained: Whether the reader starts from the published weights; all but the last group
            are frozen then. Pass False where `load_encoder` follows.
        pretrained_fnames: See `language_model_learner`.
        drop_mult: What all dropouts of the reader are multiplied by.
        n_out: Outputs; what the data's task needs when not given.
        lin_ftrs: Sizes of the head's hidden layers; one of 50 when not given.
        ps: Dropouts of the head's hidden layers; 0.1 each when not given.
        max_len: Words at the end of a text that count; None takes all.
        y_range: Bounds of the outputs of a regression.
        options: `alpha` and `beta` (see `TextLearner`), and those of `Learner`.

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no reader of that name.
        ContractError: No weights are published for the reader, or they have other sizes.
        DownloadError: The published weights can't be had.

    Source: Howard & Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018.
    """
    _check_names(text_classifier_learner, options)
    head = {"lin_ftrs": lin_ftrs, "ps": ps, "max_len": max_len, "y_range": y_range}
    spec = ModelSpec(
        get_text_classifier,
        {
            "arch": find_reader(arch),
            "vocab_sz": len(text_vocab(dls)),
            "n_class": n_out or infer(dls.task).n_out,
            "seq_len": seq_len,
            "config": dict(config or {}),
            "drop_mult": drop_mult,
            **head,
        },
    )
    options.setdefault("splitter", classifier_groups)
    learn = TextLearner(dls, spec.build(), **options)
    learn.model_spec = spec
    if pretrained or pretrained_fnames:
        learn.load_pretrained(*_files(learn, pretrained_fnames, backwards=backwards))
    return learn


def _check_names(func: Callable[..., Any], options: Mapping[str, Any]) -> None:
    known = [*signature_names(func), *TextLearnerArgs.__annotations__]
    refuse_unknown(func.__name__, options, known)


def _files(
    learn: TextLearner, names: tuple[str | Path, str | Path] | None, *, backwards: bool | None
) -> tuple[Path, Path]:
    """Return the files of weights and words to start from."""
    if names is not None:
        folder, endings = Path(learn.path) / learn.model_dir, (".pth", ".pkl")
        weights, words = (
            folder / (name if Path(name).suffix else f"{name}{ending}")
            for name, ending in zip(names, endings, strict=True)
        )
        return weights, words
    spec: Any = learn.model_spec
    if backwards is None:
        backwards = any(isinstance(tfm, ReverseText) for tfm in learn.dls.train.dataset.tls[0].tfms)
    return published_files(spec.kwargs["arch"], backwards=backwards)
