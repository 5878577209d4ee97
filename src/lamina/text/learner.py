"""`language_model_learner`, `text_classifier_learner`, and passing the reader on between them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Unpack

from torch import nn

from lamina.data.task import NextToken
from lamina.foundation.errors import BundleError, ContractError, refuse_unknown
from lamina.foundation.registry import savable
from lamina.foundation.signatures import signature_names
from lamina.nn.init import first_weights
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.text.answers.generation import generate
from lamina.text.callbacks import ModelResetter, RNNRegularizer
from lamina.text.lm_loader import LMDataLoader
from lamina.text.models.awd_lstm import AWD_LSTM
from lamina.text.models.build import (
    READERS,
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
from lamina.train.infer import n_outputs
from lamina.train.learner import Learner, LearnerArgs
from lamina.train.persistence import ModelSpec

__all__ = [
    "LMLearner",
    "TextLearner",
    "TextLearnerArgs",
    "TextModelArgs",
    "language_model_learner",
    "text_classifier_learner",
]


_ENDING = ".safetensors"


class TextLearnerArgs(LearnerArgs, total=False):
    """Keyword arguments of the learners of texts that go on to `TextLearner`."""

    alpha: float
    beta: float


class TextModelArgs(TextLearnerArgs, total=False):
    """Those and the ones for models of `transformers`.

    Attributes:
        lora: Low-rank adapters: True, or their settings; see
            `lamina.text.huggingface.learner.add_lora`.
        objective: Of a language model: "causal" predicts the next token, "masked" hidden ones.
    """

    lora: Any
    objective: Literal["causal", "masked"]


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
        path.parent.mkdir(parents=True, exist_ok=True)
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
        state = self._read_encoder(file)
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
        return path if path.suffix == _ENDING else path.with_name(f"{path.name}{_ENDING}")

    def _read_encoder(self, file: str | Path) -> Any:
        path = self._encoder_path(file)
        if not path.is_file():
            there = sorted(found.name for found in path.parent.glob(f"*{_ENDING}"))
            raise BundleError(
                f"load_encoder: there is no file {path}. Give a name that save_encoder was given; "
                f"in the folder are {', '.join(there) or 'no readers'}."
            )
        return read_bundle(path, kind="encoder").object

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
    arch: str | Path | Callable[..., nn.Module] = AWD_LSTM,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    *,
    backwards: bool | None = None,
    pretrained: bool = True,
    pretrained_fnames: tuple[str | Path, str | Path] | None = None,
    **options: Unpack[TextModelArgs],
) -> LMLearner:
    """A learner of a language model: which word comes next.

    Args:
        dls: Loaders of streams, such as `TextDataLoaders.from_df(..., is_lm=True)`.
        arch: A reader in `READERS`, or its name: `AWD_LSTM`, `AWD_QRNN`. Or a model of
            `transformers`: a folder, or a name on Hugging Face's hub; of the settings it takes
            `config`, `pretrained` and the options, and starts with all groups training.
        config: What differs from the reader's settings, such as `{"n_layers": 2}`.
        drop_mult: What all dropouts are multiplied by; smaller for more data.
        backwards: Whether texts are read from the end, which decides which published weights are
            meant; None asks the loaders.
        pretrained: Whether to start from the published weights; all but the last group are frozen
            then.
        pretrained_fnames: Files of weights and words to start from in place of these: paths, or
            names in the model folder.
        options: See `TextModelArgs` and `TextLearner`, and those of `Learner`. A `seed` decides the
            first weights, too.

    Returns:
        An `LMLearner`, or for a model of `transformers` a `PretrainedLMLearner`.

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no reader of that name.
        ContractError: No weights are published for the reader, or they have other sizes; or a model
            of `transformers` does not fit the texts or the settings.
        DownloadError: The published weights can't be had.
        MissingExtraError: `transformers` is not installed.

    Source: Merity, Keskar & Socher 2017, "Regularizing and Optimizing LSTM Language Models".
    """
    _check_names(language_model_learner, options)
    if options.get("objective") != "masked":
        _refuse_loaders(dls, labels=True)
    if _is_pretrained(arch, options):
        from lamina.text.huggingface.learner import pretrained_language_model_learner

        _refuse_recurrent(
            language_model_learner,
            drop_mult=drop_mult,
            backwards=backwards,
            pretrained_fnames=pretrained_fnames,
        )
        name: Any = arch
        start: Any = {"config": config, "pretrained": pretrained, "lora": options.pop("lora", None)}
        return pretrained_language_model_learner(dls, name, start, **options)
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
    with first_weights(options.get("seed")):
        model = spec.build()
    learn = LMLearner(dls, model, **options)
    learn.model_spec = spec
    if pretrained or pretrained_fnames:
        learn.load_pretrained(*_files(learn, pretrained_fnames, backwards=backwards))
    return learn


def text_classifier_learner(  # noqa: PLR0913 - the known signature
    dls: Any,
    arch: str | Path | Callable[..., nn.Module] = AWD_LSTM,
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
    **options: Unpack[TextModelArgs],
) -> TextLearner:
    """A learner of labels, or numbers, of texts.

    Args:
        dls: Loaders of texts, such as `TextDataLoaders.from_df(...)`.
        arch: A reader in `READERS`, or its name: `AWD_LSTM`, `AWD_QRNN`. Or a model of
            `transformers`: a folder, or a name on Hugging Face's hub; of the settings it takes
            `config`, `pretrained`, `n_out` and the options.
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
        options: See `TextModelArgs` and `TextLearner`, and those of `Learner`. A `seed` decides the
            first weights, too.

    Returns:
        The learner; for a model of `transformers` a `PretrainedLearner`.

    Raises:
        UnknownArgumentError: A name in `options` or `config` is unknown.
        UnknownNameError: There is no reader of that name.
        ContractError: No weights are published for the reader, or they have other sizes; or a model
            of `transformers` does not fit the texts or the settings.
        DownloadError: The published weights can't be had.
        MissingExtraError: `transformers` is not installed.

    Source: Howard & Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018.
    """
    _check_names(text_classifier_learner, options)
    _refuse_loaders(dls, labels=False)
    task, loss = getattr(dls, "task", None), options.get("loss_func")
    n_out = n_outputs("text_classifier_learner", task, n_out, loss)
    head = {"lin_ftrs": lin_ftrs, "ps": ps, "max_len": max_len, "y_range": y_range}
    if _is_pretrained(arch, options):
        from lamina.text.huggingface.learner import pretrained_classifier_learner

        _refuse_recurrent(
            text_classifier_learner,
            seq_len=seq_len,
            backwards=backwards,
            pretrained_fnames=pretrained_fnames,
            drop_mult=drop_mult,
            **head,
        )
        name: Any = arch
        start: Any = {"config": config, "pretrained": pretrained, "lora": options.pop("lora", None)}
        return pretrained_classifier_learner(dls, name, start, n_out, **options)
    spec = ModelSpec(
        get_text_classifier,
        {
            "arch": find_reader(arch),
            "vocab_sz": len(text_vocab(dls)),
            "n_class": n_out,
            "seq_len": seq_len,
            "config": dict(config or {}),
            "drop_mult": drop_mult,
            **head,
        },
    )
    options.setdefault("splitter", classifier_groups)
    with first_weights(options.get("seed")):
        model = spec.build()
    learn = TextLearner(dls, model, **options)
    learn.model_spec = spec
    if pretrained or pretrained_fnames:
        learn.load_pretrained(*_files(learn, pretrained_fnames, backwards=backwards))
    return learn


def _check_names(func: Callable[..., Any], options: Mapping[str, Any]) -> None:
    known = [*signature_names(func), *TextModelArgs.__annotations__]
    refuse_unknown(func.__name__, options, known)


def _refuse_loaders(dls: Any, *, labels: bool) -> None:
    """Refuse loaders of texts with labels, or those of streams without them."""
    task = getattr(dls, "task", None)
    flows = isinstance(task, NextToken) or isinstance(getattr(dls, "train", None), LMDataLoader)
    if labels and not flows and task is not None:
        raise ContractError(
            "language_model_learner: the loaders give texts with labels, not streams of words. "
            "Make them with is_lm=True, or use text_classifier_learner."
        )
    if flows and not labels:
        raise ContractError(
            "text_classifier_learner: the loaders give streams of words without labels. Make them "
            "without is_lm=True (text_vocab= takes over the words), or use language_model_learner."
        )


def _is_pretrained(arch: Any, options: TextModelArgs) -> bool:
    """Tell whether a model of `transformers` is meant, and not a reader, well or wrongly spelt."""
    if isinstance(arch, Path):
        return True
    close = isinstance(arch, str) and get_close_matches(arch.upper(), READERS.names(), 1, 0.8)
    if isinstance(arch, str) and not close:
        return True
    if odd := {"lora", "objective"} & options.keys():
        raise ContractError(
            f"{' and '.join(sorted(odd))} are for models of transformers. Give the folder or name "
            "of one as arch."
        )
    return False


def _refuse_recurrent(func: Callable[..., Any], **given: Any) -> None:
    """Refuse settings that a model of `transformers` does not have."""
    usual = inspect.signature(func).parameters
    if odd := [name for name, value in given.items() if value != usual[name].default]:
        raise ContractError(
            f"{func.__name__}: {', '.join(odd)} are settings of Lamina's own readers. Leave them "
            "out for a model of transformers, which has its own in config={...}."
        )


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
