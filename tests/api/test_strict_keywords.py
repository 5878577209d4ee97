"""What happens to a misspelt keyword.

1. Nothing swallows it: in the whole library a call with a keyword that nothing takes fails. Where
   a signature names all keywords, Python sees to that; those that hand keywords on are called here.
2. What a user describes data and training with says which name was meant: all of the data layer,
   and the blocks, transforms, factories and learners of the applications.

Beyond that, Python's own TypeError is good enough: it names function and keyword, and from Python
3.13 says which was meant. So it is for single functions (`valley`, `minimum`, `accuracy`), for
parts of networks, losses and metrics, and for values, which are made by place: tensors
(`TensorText`), pictures (`PILImage`, `PILMask`), and tables of constants (`FillStrategy`).
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, is_typeddict

import pytest

import lamina.data
import lamina.vision.all as vision
from lamina.data.block import CategoryBlock, DataBlock, TransformBlock
from lamina.data.loaders import DataLoaders
from lamina.foundation.errors import UnknownArgumentError
from lamina.train.lr_finder import valley

INSIDE = (  # machinery that the public parts call, per item or per batch
    "lamina.data.kernels.",
    "lamina.data.loading.plan",
    "lamina.data.loading.share",
    "lamina.data.loading.threads",
    "lamina.data.loading.trace",
    "lamina.data.loading.workers",
    "lamina.data.check.subject",
    "lamina.data.external.pins",
    "lamina.data.splits.positions",
    "lamina.tabular.estimators",  # loads scikit-learn, whose constructors check what is handed on
)
EXCEPT = {
    "URLs": "a table, of which nobody makes an instance",
    "show_at": "hands its options to the picture that is drawn",
    "SkipReport": "made by list, of what a loader has skipped",
    "Stages": "a base class without a constructor",
    "Subsets": "a base class without a constructor",
    "Task": "a base class without arguments",
    "refuse_options": "what the others refuse unknown options with",
    "Category": "made by str, of anything that str takes",
    "MultiCategory": "made by L, for which keywords are part of its own contract",
    "Source": "made by str; the table URLs holds all of them",
}
KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def public(package: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """What the modules of a package offer and define themselves, by name."""
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if info.name.startswith(INSIDE):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            made = getattr(module, name)
            if callable(made) and getattr(made, "__module__", "") == info.name:
                yield name, made


def has_options(fn: Callable[..., Any]) -> bool:
    """Whether a call may leave anything out; functions of one or two things are called by place."""
    if isinstance(fn, type):
        return True
    parameters = inspect.signature(fn).parameters.values()
    return any(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in parameters)


def hands_on(fn: Callable[..., Any]) -> bool:
    """Whether the signature leaves some keywords unnamed."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except ValueError:  # made by the constructor of a built-in type
        return False
    return not is_typeddict(fn) and any(p.kind is p.VAR_KEYWORD for p in parameters)


def call_misspelt(fn: Callable[..., Any]) -> None:
    """Call with what must be given, and with a keyword that nothing has."""
    given = [p for p in inspect.signature(fn).parameters.values() if p.default is p.empty]
    named = {p.name: None for p in given if p.kind is p.KEYWORD_ONLY}
    fn(*[None for p in given if p.kind in KINDS], **named, qwertz=1)


CALLABLES = {
    name: fn
    for name, fn in public(lamina.data)
    if name not in EXCEPT and not is_typeddict(fn) and has_options(fn)
}


def test_the_walk_finds_what_users_call():
    assert {"RandomSplitter", "TfmdLists", "RegexLabeller", "Normalize", "untar_data"} < set(
        CALLABLES
    )
    assert len(CALLABLES) > 60
    assert len(EXCEPT) <= 10


@pytest.mark.parametrize("name", CALLABLES)
def test_unknown_keywords_are_refused(name):
    with pytest.raises(UnknownArgumentError, match="unknown argument 'qwertz'"):
        call_misspelt(CALLABLES[name])


TAKE_ANY = {  # by what they are for
    *("AttrDict", "renamed_arguments", "use_kwargs_dict"),  # a dict; the names that are renamed
    *("PartialLambda", "as_function", "as_predicate", "bind"),  # keep them for a later call
    *("noop", "noops"),
}


def is_swallowed(fn: Callable[..., Any]) -> bool:
    try:
        call_misspelt(fn)
    except Exception:  # some fail earlier, because of what else they are given
        return False
    return True


@pytest.mark.parametrize("rung", ["foundation", "viz", "tensor", "data", "optim", "nn", "metrics"])
def test_nothing_below_training_swallows_a_keyword(rung):
    found = [(n, fn) for n, fn in public(importlib.import_module(f"lamina.{rung}")) if hands_on(fn)]
    assert [name for name, fn in found if name not in TAKE_ANY and is_swallowed(fn)] == []


@pytest.mark.parametrize("rung", ["train", "vision", "text", "tabular", "collab"])
def test_nothing_from_training_on_swallows_a_keyword(rung):
    found = [(n, fn) for n, fn in public(importlib.import_module(f"lamina.{rung}")) if hands_on(fn)]
    assert [name for name, fn in found if is_swallowed(fn)] == []


VALUES = [vision.PILImage, vision.PILMask, vision.TensorImage, vision.TensorCategory, valley]


@pytest.mark.parametrize("fn", VALUES)
def test_what_is_made_or_called_by_place_names_the_keyword(fn):
    with pytest.raises(TypeError, match=r"\(\) got an unexpected keyword argument 'qwertz'"):
        call_misspelt(fn)


BLOCK = DataBlock((TransformBlock, CategoryBlock), get_y=lambda i: i % 2)
DLS = BLOCK.dataloaders(range(10), bs=4, device="cpu")
THINGS: list[Any] = [BLOCK, DLS, DLS.train, DLS.train_ds, DLS.train_ds.tls[0]]
PER_ITEM = {"decode", "gather", "setup"}  # called for each item, or by pipelines
ON_THINGS = {
    "from_dblock",
    "show",
    "show_results",
}  # hand their options on with what they are given
METHODS = {
    f"{type(thing).__name__}.{name}": getattr(thing, name)
    for thing in THINGS
    for name, fn in inspect.getmembers(type(thing), inspect.isroutine)
    if not name.startswith("_") and name not in PER_ITEM | ON_THINGS and has_options(fn)
}


@pytest.mark.parametrize("name", METHODS)
def test_unknown_keywords_of_methods_are_refused(name):
    with pytest.raises(UnknownArgumentError, match="unknown argument 'qwertz'"):
        call_misspelt(METHODS[name])


def test_options_that_are_handed_on_are_refused_where_they_arrive():
    batch = DLS.one_batch()
    with pytest.raises(UnknownArgumentError, match="unknown argument 'qwertz'"):
        DLS.show_results(batch, batch[1], qwertz=1)
    with pytest.raises(UnknownArgumentError, match="unknown argument 'qwertz'"):
        DataLoaders.from_dblock(BLOCK, range(10), qwertz=1)


FACTORIES = {
    "collab": "CollabDataLoaders collab_learner",
    "tabular": "TabularDataLoaders TabularPandas tabular_learner",
    "text": "TextBlock TextDataLoaders language_model_learner text_classifier_learner",
    "vision": "ImageBlock ImageDataLoaders MaskBlock Resize SegmentationDataLoaders aug_transforms "
    "cnn_learner unet_learner vision_learner",
}


@pytest.mark.parametrize("rung", FACTORIES)
def test_factories_and_learners_of_the_applications_are_strict(rung):
    names = importlib.import_module(f"lamina.{rung}.all")
    for name in (*FACTORIES[rung].split(), "Learner", "SaveModelCallback"):
        with pytest.raises(UnknownArgumentError, match="unknown argument 'qwertz'"):
            call_misspelt(getattr(names, name))


def test_the_message_names_what_was_meant():
    with pytest.raises(UnknownArgumentError, match=r"DataLoaders.test_dl: .* mean 'with_labels'\?"):
        DLS.test_dl([1], with_label=True)
    with pytest.raises(UnknownArgumentError, match=r"^DataLoaders: .* Did you mean 'device'\?"):
        DataLoaders([1], devise="cpu")
