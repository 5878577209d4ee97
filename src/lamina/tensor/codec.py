"""Python values as JSON and tensors, and back, without running anything that a file could name.

A value becomes a tree of JSON nodes; its tensors and arrays are put aside under names and go into a
safetensors file (`lamina.tensor.bundle`). A node is plain JSON, or an object with one key that
starts with `$` and says what it stands for. Classes and functions are written by the name under
which they are `savable`; only registered and explicitly allowed ones are read, and no name ever
leads to an import.
"""

import base64
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from lamina.foundation.collections import L
from lamina.foundation.errors import BundleError, ContractError
from lamina.foundation.registry import name_of, resolve
from lamina.tensor import types
from lamina.tensor.types import TensorBase, plain

__all__ = ["MAX_DEPTH", "Node", "decode", "encode"]

Node: TypeAlias = Any  # what `json` reads and writes

MAX_DEPTH = 100  # of containers in one another

_SEMANTIC: dict[str, type[TensorBase]] = {
    name: kind
    for name, kind in vars(types).items()
    if isinstance(kind, type) and issubclass(kind, TensorBase)
}
_STORABLE = frozenset(
    getattr(torch, name)
    for name in """
        bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64
        complex64 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz
    """.split()  # noqa: SIM905 - what the safetensors format knows
)
_DTYPES = {
    str(value).removeprefix("torch."): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}


def encode(obj: Any, tensors: dict[str, Tensor]) -> Node:
    """Turn a value into JSON nodes.

    Handled are numbers, strings, None, lists, tuples, dicts, sets, slices, ranges, bytes, relative
    paths, `L`, data types, tensors, NumPy arrays, savable functions, partials of them, and objects
    of savable classes.

    Args:
        obj: the value.
        tensors: filled with the tensors in it, named after where they are.

    Raises:
        ContractError: something in the value cannot be saved; the message says where it is.

    Example:
        >>> found: dict[str, Tensor] = {}
        >>> encode({"size": (2, 3), "w": torch.zeros(2)}, found)
        {'size': {'$tuple': [2, 3]}, 'w': {'$tensor': 'w'}}
        >>> list(found)
        ['w']
    """
    return _Encoder(tensors).node(obj, ())


def decode(
    node: Node, tensors: Mapping[str, Tensor], allow: Iterable[Callable[..., Any]] = ()
) -> Any:
    """Turn JSON nodes back into the value.

    Args:
        node: what `encode` returned.
        tensors: the tensors by name.
        allow: classes and functions of the user that may be made, besides the registered ones.

    Raises:
        UntrustedError: a class or function is neither registered nor allowed.
        BundleError: the nodes are damaged or do not fit the classes.

    Example:
        >>> decode({"size": {"$tuple": [2, 3]}}, {})
        {'size': (2, 3)}
    """
    return _Decoder(tensors, tuple(allow)).node(node, 0)


class _Encoder:
    """One encoding: the tensors found so far."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self._known: dict[tuple[Any, ...], str] = {}
        self._alive: list[Tensor] = []  # a freed tensor's address could be taken by another
        self._storages: set[int] = set()

    def node(self, x: Any, place: tuple[str, ...]) -> Node:
        if len(place) > MAX_DEPTH:
            raise ContractError(
                f"save: the value is nested more than {MAX_DEPTH} levels deep, or contains itself. "
                f"Save a flatter value. It begins with {_spell(place[:4])}."
            )
        if x is None or type(x) in (bool, int, str):
            return x
        if (encode_exact := _EXACT.get(type(x))) is not None:
            return encode_exact(self, x, place)
        if (name := name_of(type(x))) is not None:
            return self._object(x, name, place)
        for kinds, encode_family in _FAMILIES:
            if isinstance(x, kinds):
                return encode_family(self, x, place)
        if (name := name_of(x)) is not None:
            return {"$ref": name}
        raise _cannot_save(x, place)

    def nodes(self, items: Iterable[Any], place: tuple[str, ...]) -> list[Node]:
        return [self.node(item, (*place, str(i))) for i, item in enumerate(items)]

    def _object(self, x: Any, name: str, place: tuple[str, ...]) -> Node:
        """Encode an object of a savable class by its state."""
        if isinstance(x, Enum):
            return {"$enum": [name, x.name]}
        state = x.to_state() if hasattr(x, "to_state") else _field_values(x)
        return {"$object": name, "state": self.mapping(state, place)}

    def keyed(self, x: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, Node]:
        return {key: self.node(value, (*place, key)) for key, value in x.items()}

    def mapping(self, x: dict[Any, Any], place: tuple[str, ...]) -> Node:
        if all(type(key) is str and not key.startswith("$") for key in x):
            return self.keyed(x, place)
        key_place = (*place, "keys")
        pairs = [
            [self.node(key, key_place), self.node(value, (*place, str(key)))]
            for key, value in x.items()
        ]
        return {"$dict": pairs}

    def tensor(self, x: Tensor, place: tuple[str, ...]) -> Node:
        node: dict[str, Node] = {"$tensor": self.put(x, place)}
        if isinstance(x, TensorBase):
            kind = type(x)
            is_ours = _SEMANTIC.get(kind.__name__) is kind
            node["type"] = kind.__name__ if is_ours else f"{kind.__module__}:{kind.__qualname__}"
            node["meta"] = self.node(x.meta, (*place, "meta"))
        return node

    def put(self, x: Tensor, place: tuple[str, ...]) -> str:
        """Put a tensor aside and return its name; the same memory is stored once."""
        if x.layout is not torch.strided or x.is_meta or x.is_quantized:
            raise _cannot_save(x, place, "Save a dense tensor that holds values instead.")
        if x.dtype not in _STORABLE:
            raise _cannot_save(x, place, "Convert it to another data type.")
        x = plain(x.detach())
        key = (x.data_ptr() if x.numel() else id(x), x.device, x.dtype, x.shape, x.stride())
        if key not in self._known:
            self._alive.append(x)
            name = _free_name(".".join(place) or "value", self.tensors)
            self._known[key] = name
            self.tensors[name] = self._own_memory(x.cpu())
        return self._known[key]

    def _own_memory(self, x: Tensor) -> Tensor:
        """Copy a tensor that is only a part of its memory, or shares it with one put aside."""
        storage = x.untyped_storage()
        is_whole = x.is_contiguous() and storage.nbytes() == x.numel() * x.element_size()
        if not is_whole or storage.data_ptr() in self._storages:
            x = x.clone(memory_format=torch.contiguous_format)
        self._storages.add(x.untyped_storage().data_ptr())
        return x

    def array(self, x: Any, place: tuple[str, ...]) -> Node:
        """Encode a NumPy array, or a NumPy scalar as an array without dimensions."""
        array = np.asarray(x)
        if array.dtype.kind not in "biufc" or array.dtype.itemsize > 8:
            raise _cannot_save(x, place, "Save numbers, or a list made with .tolist().")
        native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
        node: dict[str, Node] = {"$array": self.put(torch.from_numpy(native), place)}
        return node | {"scalar": True} if isinstance(x, np.generic) else node


def _sorted(x: Iterable[Any]) -> list[Any]:
    """Order the members of a set, so that equal objects give equal files."""
    return sorted(x, key=repr)


def _path(_: _Encoder, x: PurePath, place: tuple[str, ...]) -> Node:
    if x.is_absolute() or ".." in x.parts:
        raise _cannot_save(
            x, place, "Only a path relative to where the file is used has a meaning."
        )
    return {"$path": x.as_posix()}


def _partial(encoder: _Encoder, x: "partial[Any]", place: tuple[str, ...]) -> Node:
    parts = (("func", x.func), ("args", x.args), ("keywords", x.keywords))
    return {"$partial": [encoder.node(part, (*place, name)) for name, part in parts]}


_Encode: TypeAlias = Callable[[_Encoder, Any, tuple[str, ...]], Node]

# Of exactly these types: a subclass, such as a named tuple, would come back as its base.
_EXACT: dict[type, _Encode] = {
    L: lambda e, x, place: {"$L": e.nodes(x, place)},
    OrderedDict: _Encoder.mapping,
    bytes: lambda _, x, _place: {"$bytes": base64.b64encode(x).decode("ascii")},
    complex: lambda e, x, place: {"$complex": e.nodes((x.real, x.imag), place)},
    dict: _Encoder.mapping,
    float: lambda _, x, _place: x if math.isfinite(x) else {"$float": repr(x)},
    frozenset: lambda e, x, place: {"$frozenset": e.nodes(_sorted(x), place)},
    list: _Encoder.nodes,
    partial: _partial,
    range: lambda _, x, _place: {"$range": [x.start, x.stop, x.step]},
    set: lambda e, x, place: {"$set": e.nodes(_sorted(x), place)},
    slice: lambda e, x, place: {"$slice": e.nodes((x.start, x.stop, x.step), place)},
    torch.Size: lambda e, x, place: {"$tuple": e.nodes(x, place)},
    torch.dtype: lambda _, x, _place: {"$dtype": str(x).removeprefix("torch.")},
    tuple: lambda e, x, place: {"$tuple": e.nodes(x, place)},
}

_FAMILIES: tuple[tuple[Any, _Encode], ...] = (
    ((np.ndarray, np.generic), _Encoder.array),
    (Tensor, _Encoder.tensor),
    (PurePath, _path),
)


class _Decoder:
    """One decoding: where tensors come from and what may be made."""

    def __init__(self, tensors: Mapping[str, Tensor], allow: tuple[Any, ...]) -> None:
        self.tensors = tensors
        self.allow = allow

    def node(self, node: Node, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise BundleError("The file is damaged: its values are nested too deep.")
        if isinstance(node, list):
            return self.nodes(node, depth)
        if not isinstance(node, dict):
            return node
        tag = next((key for key in node if key.startswith("$")), None)
        if tag is None:
            return {key: self.node(value, depth + 1) for key, value in node.items()}
        try:
            return self._tagged(tag, node, depth)
        except BundleError:
            raise
        except Exception as error:
            about = f"{tag[1:]} {node[tag]!r:.60}"
            raise BundleError(
                f"The file is damaged, or was written for another version of a class: {about} "
                f"cannot be restored. The cause is {type(error).__name__}: {error}"
            ) from error

    def _tagged(self, tag: str, node: dict[str, Node], depth: int) -> Any:
        """Decode what a tag stands for."""
        content = node[tag]
        if tag in _FROM_JSON:
            return _FROM_JSON[tag](content)
        if tag in _FROM_LIST:
            return _FROM_LIST[tag](self.nodes(content, depth))
        if tag in _SPECIAL:
            return _SPECIAL[tag](self, content, node, depth)
        raise BundleError(
            f"The file holds a value of the unknown kind {tag!r}. It is damaged, or was written "
            "by a newer version: upgrade with pip install -U lamina."
        )

    def nodes(self, nodes: list[Node], depth: int) -> list[Any]:
        return [self.node(node, depth + 1) for node in nodes]

    def dict(self, pairs: list[list[Node]], _: Node, depth: int) -> Any:
        return {self.node(key, depth + 1): self.node(value, depth + 1) for key, value in pairs}

    def stored(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise BundleError(
                f"The file is damaged: it names the tensor {name!r}, but does not hold it. "
                "Copy or export it again."
            )
        return self.tensors[name]

    def tensor(self, name: str, node: Node, depth: int) -> Tensor:
        stored = self.stored(name)
        if "type" not in node:
            return stored
        kind = _SEMANTIC.get(node["type"]) or resolve(node["type"], self.allow)
        if not (isinstance(kind, type) and issubclass(kind, TensorBase)):
            raise BundleError(f"The file is damaged: {node['type']!r} is no type of tensor.")
        return kind(stored, meta=self.node(node.get("meta"), depth))

    def array(self, name: str, node: Node, _: int) -> Any:
        array = self.stored(name).numpy()
        return array[()] if node.get("scalar") else array

    def object(self, name: str, node: Node, depth: int) -> Any:
        cls: Any = resolve(name, self.allow)
        state = self.node(node["state"], depth)
        # A function registered under the name must not be called with what the file says.
        if not isinstance(cls, type) or not (hasattr(cls, "from_state") or is_dataclass(cls)):
            raise BundleError(f"The file is damaged: {name!r} is no class with a state.")
        if hasattr(cls, "from_state"):
            return cls.from_state(state)  # type: ignore[attr-defined]  # checked above
        return _from_fields(cls, state)

    def enum(self, names: list[str], _: Node, __: int) -> Any:
        cls: Any = resolve(names[0], self.allow)
        if not (isinstance(cls, type) and issubclass(cls, Enum)):
            raise BundleError(f"The file is damaged: {names[0]!r} is no enumeration.")
        return cls[names[1]]

    def ref(self, name: str, _: Node, __: int) -> Any:
        return resolve(name, self.allow)


def _read_path(text: str) -> Path:
    path = Path(text)
    if path.is_absolute() or ".." in path.parts:
        raise BundleError(f"The file names {text!r}, a path outside its folder. Do not trust it.")
    return path


# Each of the three tables is for nodes whose content is: JSON as it is, a list of nodes, special.
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$dtype": _DTYPES.__getitem__,
    "$float": {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}.__getitem__,
    "$path": _read_path,
    "$range": lambda numbers: range(*numbers),
}
_FROM_LIST: dict[str, Callable[[list[Any]], Any]] = {
    "$L": L,
    "$complex": lambda parts: complex(*parts),
    "$frozenset": frozenset,
    "$partial": lambda parts: partial(parts[0], *parts[1], **parts[2]),
    "$set": set,
    "$slice": lambda parts: slice(*parts),
    "$tuple": tuple,
}
_SPECIAL: dict[str, Callable[[_Decoder, Any, Node, int], Any]] = {
    "$array": _Decoder.array,
    "$dict": _Decoder.dict,
    "$enum": _Decoder.enum,
    "$object": _Decoder.object,
    "$ref": _Decoder.ref,
    "$tensor": _Decoder.tensor,
}


def _field_values(x: Any) -> dict[str, Any]:
    """Read the state of a dataclass."""
    return {field.name: getattr(x, field.name) for field in fields(x)}


def _from_fields(cls: Any, state: dict[str, Any]) -> Any:
    """Make a dataclass from its state; what `__init__` does not take is set afterwards."""
    known = {field.name: field.init for field in fields(cls)}
    if strangers := sorted(set(state) - set(known)):
        raise BundleError(f"{cls.__name__} has no fields {', '.join(strangers)}; the file has.")
    out = cls(**{name: value for name, value in state.items() if known[name]})
    for name, value in state.items():
        if not known[name]:
            object.__setattr__(out, name, value)  # works for frozen classes too
    return out


def _free_name(wanted: str, taken: Mapping[str, Any]) -> str:
    """Return a name that is not taken, numbered if need be."""
    name, n = wanted, 1
    while name in taken:
        name, n = f"{wanted}-{n}", n + 1
    return name


def _spell(place: tuple[str, ...]) -> str:
    return f"'{'.'.join(place)}'" if place else "the value itself"


def _cannot_save(x: Any, place: tuple[str, ...], advice: str | None = None) -> ContractError:
    """Word the error for a value that has no place in a file."""
    if advice is None:
        is_function = callable(x) and hasattr(x, "__qualname__")
        advice = (
            "Lambdas and local functions have no stable name: write a function at the top of a "
            "module and put @savable above it."
            if is_function
            else "Put @savable above its class, which must be a dataclass or have to_state and "
            "from_state; or save a list, dict, number or tensor instead."
        )
    kind = f"{type(x).__module__}.{type(x).__qualname__}"
    return ContractError(
        f"save: {_spell(place)} is {x!r:.80}, a {kind}, which cannot be saved. {advice}"
    )
