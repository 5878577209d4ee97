"""Safe files: one safetensors file with tensors and, in its header, JSON that says what they make.

Reading a file never runs code from it and never imports what it names: see `lamina.tensor.codec`.
Any program that reads safetensors can open the file and finds the tensors under readable names.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lamina import __version__
from lamina.foundation.errors import BundleError, ContractError
from lamina.foundation.paths import atomic_write
from lamina.tensor.codec import decode, encode

__all__ = ["FORMAT", "Bundle", "decode", "encode", "read_bundle", "write_bundle"]

FORMAT = 1  # the newest format that this version reads, and the one that it writes
MAX_HEADER = 100_000_000  # bytes; what the safetensors format allows


@dataclass(frozen=True)
class Bundle:
    """What a file holds.

    Args:
        kind: what the object is, such as `"learner"`.
        object: the object.
        extra: further facts that the writer added.
        lamina: the version of Lamina that wrote the file.
        torch: the version of PyTorch that wrote the file.
    """

    kind: str
    object: Any
    extra: dict[str, Any] = field(default_factory=dict)
    lamina: str = __version__
    torch: str = torch.__version__


def write_bundle(
    path: str | os.PathLike[str],
    obj_tree: Any,
    *,
    kind: str,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write an object to a file that `read_bundle` reads, and return its path.

    The file appears whole or not at all: if writing fails, an older file of the name stays.

    Args:
        path: the file.
        obj_tree: nested lists, tuples and dicts of what `lamina.tensor.codec.encode` handles.
        kind: what the object is, to be checked when it is read.
        extra: further facts to keep beside the object; no tensors.

    Raises:
        ContractError: something in the object cannot be saved.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = write_bundle(Path(folder, "vocab.lamina"), ("cat", "dog"), kind="vocab")
        ...     read_bundle(file, kind="vocab").object
        ('cat', 'dog')
    """
    tensors: dict[str, Tensor] = {}
    extra_tensors: dict[str, Tensor] = {}
    manifest = {
        "format": FORMAT,
        "lamina": __version__,
        "torch": str(torch.__version__),
        "kind": kind,
        "object": encode(obj_tree, tensors),
        "extra": encode(dict(extra or {}), extra_tensors),
    }
    if extra_tensors:
        raise ContractError(
            f"save: extra holds tensors under {', '.join(extra_tensors)}. Put facts there, such "
            "as numbers and strings, and tensors into the object."
        )
    text = json.dumps(manifest, allow_nan=False, separators=(",", ":"))
    if 2 * len(text) > MAX_HEADER:
        raise ContractError(
            f"save: what is not a tensor takes {len(text):,} characters, more than a header may "
            "hold. Turn large lists of numbers into arrays or tensors."
        )
    with atomic_write(path) as unfinished:
        save_file(tensors, unfinished, metadata={"lamina": text})
    return Path(path)


def read_bundle(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    allow: Iterable[Callable[..., Any]] = (),
) -> Bundle:
    """Read a file that `write_bundle` wrote, without running anything from it.

    Args:
        path: the file.
        kind: the kind of object expected; None accepts any.
        allow: classes and functions of your own that the file may name.

    Raises:
        UntrustedError: the file names a class or function that is neither Lamina's nor allowed.
        BundleError: the file is damaged, of another kind, or too new.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    manifest = _read_manifest(path)
    if kind is not None and manifest["kind"] != kind:
        raise BundleError(f"{path}: this file holds a {manifest['kind']}. Expected a {kind}.")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        _damaged(path, f"its tensors cannot be read ({error})", error)
    try:
        allowed = tuple(allow)
        return Bundle(
            kind=manifest["kind"],
            object=decode(manifest["object"], tensors, allowed),
            extra=decode(manifest["extra"], tensors, allowed),
            lamina=manifest["lamina"],
            torch=manifest["torch"],
        )
    except BundleError as error:
        error.add_note(f"The file is {path}, written by lamina {manifest['lamina']}.")
        raise


def _read_manifest(path: Path) -> dict[str, Any]:
    """Read and check the JSON that describes the object."""
    header = _read_header(path)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("lamina"), str):
        raise BundleError(
            f"{path}: this is a safetensors file, but not one of Lamina's: it holds tensors and "
            "does not say what they make. Read it with safetensors.torch.load_file."
        )
    manifest = _parse(path, metadata["lamina"].encode("utf-8", "surrogatepass"))
    version = manifest.get("format")
    if not isinstance(version, int):
        _damaged(path, "its description has no format number")
    if version > FORMAT:
        raise BundleError(
            f"{path}: written by lamina {manifest.get('lamina')} in format {version}; this is "
            f"{__version__}, which reads up to format {FORMAT}. Upgrade: pip install -U lamina"
        )
    expected = {"kind": str, "lamina": str, "torch": str, "object": object, "extra": dict}
    for key, of_type in expected.items():
        if not isinstance(manifest.get(key, _ABSENT), of_type) or key not in manifest:
            _damaged(path, f"its description lacks {key!r}")
    return manifest


_ABSENT = object()


def _read_header(path: Path) -> dict[str, Any]:
    """Read the header of a safetensors file, after checks that its own reader does not explain."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > MAX_HEADER or 8 + length > size:
            _refuse_pickle(path, start)
            _damaged(path, f"it has {size} bytes, and its header claims {length}")
        return _parse(path, file.read(length))


def _refuse_pickle(path: Path, start: bytes) -> None:
    """Say so if a file that is no safetensors file begins like a pickle, zipped or not."""
    if start.startswith((b"PK\x03\x04", b"\x80")):
        raise BundleError(
            f"{path}: this is a pickle, as torch.save writes it, and may run code when it is "
            "loaded. Lamina does not read it. If you trust it, load it with torch.load and "
            "save what you need with Lamina."
        )


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        _damaged(path, f"its header is no JSON ({error})", error)
    if not isinstance(found, dict):
        _damaged(path, "its header is no JSON object")
    return found


def _damaged(path: Path, what: str, cause: Exception | None = None) -> NoReturn:
    """Say that a file is not whole."""
    raise BundleError(
        f"{path}: the file is damaged, incomplete or not one of Lamina's: {what}. Copy or download "
        "it again, or export it again."
    ) from cause
