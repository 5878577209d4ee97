"""The eyes of the data doctor for pictures: near duplicates, turned photographs, masks, places.

Importing this module enters its probes into `lamina.data.check.probes.PROBES`; the blocks of
vision do so.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from lamina.data.check.probes import PROBES, Finding, joined, names_of
from lamina.data.check.report import flag
from lamina.data.check.subject import LOOKERS, Seen, Subject
from lamina.data.task import DenseLabels
from lamina.foundation.sequences import listify
from lamina.tensor.types import PointsMeta, TensorBBox, TensorMask, TensorPoint, plain
from lamina.vision.images import PILBase, PILMask
from lamina.viz.tables import Table

__all__ = [
    "BoxFacts",
    "MaskFacts",
    "PictureFacts",
    "describe_sizes",
    "find_bad_boxes",
    "find_bad_masks",
    "find_near_duplicates",
    "find_points_outside",
    "find_turned",
    "group_alike",
]

_SEEN_PX = 64  # the decoder is asked for no more
_WAVES, _THUMB = 32, 16
_MOST_BITS = 7  # of 64 that may differ
_LEAST_LIKENESS = 0.98  # correlation; 0.84 is the highest of 184,000 pairs of different pets
_RUN = 1024  # pictures compared at a time
_PAIRS = 8192  # pairs whose thumbnails are compared at a time
_FLAT = 2.0  # standard deviation in grey levels below which there is nothing to compare
_SMALLEST_PX = 32
_SIZES = 6  # rows in the table
_BITS = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8)).reshape(-1, 16).sum(1)

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What there is to know of a picture.

    Args:
        size: Width and height, upright.
        orientation: As EXIF counts; 1 is upright.
        waves: A perceptual hash of 64 bits.
        thumb: 16 x 16 grey pixels.
    """

    size: Size
    orientation: int
    waves: int
    thumb: np.ndarray


@dataclass(frozen=True, slots=True)
class MaskFacts:
    """What there is to know of a mask.

    Args:
        size: Width and height.
        values: How many pixels have each value.
    """

    size: Size
    values: dict[int, int]


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """The boxes of an item.

    Args:
        boxes: `(n, 4)`: left, top, right, bottom in pixels.
        size: Width and height of their picture, if they know it.
    """

    boxes: np.ndarray
    size: Size | None


def _look_at_picture(im: PILBase) -> PictureFacts:
    size, orientation = im.size, im.orientation
    im.draft(None, (_SEEN_PX, _SEEN_PX))
    gray = im.convert("L")
    thumb = np.asarray(gray.resize((_THUMB, _THUMB), Image.Resampling.BOX))
    return PictureFacts(size, orientation, _perceptual_hash(gray), thumb)


def _look_at_mask(mask: Any) -> MaskFacts:
    pixels = np.asarray(mask)
    values, counts = np.unique(pixels, return_counts=True)
    size = (pixels.shape[-1], pixels.shape[-2])
    return MaskFacts(size, dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _look_at_boxes(boxes: TensorBBox) -> BoxFacts:
    size = boxes.meta.size if isinstance(boxes.meta, PointsMeta) else None
    return BoxFacts(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), size)


def _look_at_points(points: TensorPoint) -> Any:
    """Return the points, or a NaN if they have one, which another probe reports."""
    return points if bool(plain(points).isfinite().all()) else np.array([np.nan])


LOOKERS.add(PILBase, _look_at_picture)
LOOKERS.add(PILMask | TensorMask, _look_at_mask)
LOOKERS.add(TensorBBox, _look_at_boxes)
LOOKERS.add(TensorPoint, _look_at_points)


def _perceptual_hash(gray: Image.Image) -> int:
    """Return which of the 64 lowest waves of a picture are above their median.

    Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010.
    """
    pixels = np.asarray(gray.resize((_WAVES, _WAVES), Image.Resampling.BOX), dtype=np.float64)
    waves = (_COSINES @ pixels @ _COSINES.T).ravel()
    bits = waves > np.median(waves[1:])  # the first is the mean
    return int.from_bytes(np.packbits(bits & (np.arange(64) > 0)).tobytes(), "little")


_STEPS = 2 * np.arange(_WAVES) + 1
_COSINES = np.cos(np.pi / (2 * _WAVES) * np.arange(8)[:, None] * _STEPS)


def group_alike(hashes: np.ndarray, thumbs: np.ndarray) -> list[list[int]]:
    """Find the pictures that are nearly the same.

    Of the four words of two hashes with at most 7 different bits, one has at most 1: only pictures
    that share such a word are compared. Thumbnails then confirm what the hashes suspect.

    Args:
        hashes: `(n,)` perceptual hashes as uint64.
        thumbs: `(n, pixels)` grey pixels.

    Returns:
        The groups of more than one.
    """
    unit = thumbs - thumbs.mean(1, keepdims=True, dtype=np.float32)
    length = np.linalg.norm(unit, axis=1, keepdims=True)
    unit *= (length > _FLAT * thumbs.shape[1] ** 0.5) / np.maximum(length, 1e-6)
    group = np.arange(len(hashes))
    for a, b in _suspects(hashes, group):
        alike = (unit[a] * unit[b]).sum(1) >= _LEAST_LIKENESS
        for i, j in zip(a[alike].tolist(), b[alike].tolist(), strict=True):
            if group[i] != group[j]:
                group[group == group[j]] = group[i]
    members: dict[int, list[int]] = defaultdict(list)
    for i, number in enumerate(group.tolist()):
        members[number].append(i)
    return [some for some in members.values() if len(some) > 1]


def _suspects(hashes: np.ndarray, group: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the pairs in different groups whose hashes differ in few bits."""
    words = hashes.view(np.uint16).reshape(-1, 4)
    for word, flip in product(words.T.astype(np.int64), (0, *(1 << bit for bit in range(16)))):
        order = np.argsort(word, kind="stable")
        starts = np.searchsorted(word[order], np.arange((1 << 16) + 1))
        for at in range(0, len(word), _RUN):
            first = starts[word[at : at + _RUN] ^ flip]
            n_alike = starts[(word[at : at + _RUN] ^ flip) + 1] - first
            a = np.repeat(np.arange(at, at + len(first)), n_alike)
            b = order[np.arange(len(a)) + np.repeat(first - n_alike.cumsum() + n_alike, n_alike)]
            new = (a < b) & (group[a] != group[b])
            a, b = a[new], b[new]
            near = _BITS[words[a] ^ words[b]].sum(1) <= _MOST_BITS
            a, b = a[near], b[near]
            yield from ((a[k : k + _PAIRS], b[k : k + _PAIRS]) for k in range(0, len(a), _PAIRS))


@PROBES.register("near duplicates")
def find_near_duplicates(subject: Subject) -> Iterator[Finding]:
    """Report pictures that are the same but for size, quality, brightness or orientation.

    Args:
        subject: What to look at.
    """
    first: dict[Any, Seen] = {}  # copies of one file are another probe's finding
    for seen in subject.facts(PictureFacts):
        if not seen.is_target:
            first.setdefault(seen.digest or seen.name, seen)
    seen = list(first.values())
    if not seen:
        return
    hashes = np.array([one.facts.waves for one in seen], dtype=np.uint64)
    thumbs = np.stack([one.facts.thumb.ravel() for one in seen])
    groups = [[seen[i] for i in group] for group in group_alike(hashes, thumbs)]
    across = [group for group in groups if len({one.split for one in group}) > 1]
    advice = "Look at them; keep one of each, or split by groups so that they stay together."
    message = "Nearly the same picture is in another split too: validation looks better than it is."
    yield from flag("warning", "near leak", joined(" ~ ", across), message, advice)
    within = [group for group in groups if group not in across]
    message = "Nearly the same picture is in the split more than once."
    yield from flag("note", "near duplicate", joined(" ~ ", within), message, advice)


@PROBES.register("orientation")
def find_turned(subject: Subject) -> Iterator[Finding]:
    """Report photographs that are stored turned, with a note of how the camera was held.

    Args:
        subject: What to look at.
    """
    is_placed = bool(subject.facts(MaskFacts) or subject.facts(BoxFacts))
    yield from flag(
        "warning" if is_placed else "note",
        "turned photograph",
        names_of(seen for seen in subject.facts(PictureFacts) if seen.facts.orientation != 1),
        "The files are stored turned (EXIF); Lamina opens them upright.",
        "Check that masks and boxes were drawn on the upright picture."
        if is_placed
        else "Other programs may not: turn them once and for all if you share the files.",
    )


@PROBES.register("sizes")
def describe_sizes(subject: Subject) -> Iterator[Finding]:
    """Show which sizes the pictures have, and report tiny ones.

    Args:
        subject: What to look at.
    """
    seen = [one for one in subject.facts(PictureFacts) if not one.is_target]
    if not seen:
        return
    sizes = Counter(one.facts.size for one in seen)
    w, h = np.array([one.facts.size for one in seen]).T
    rows: list[Sequence[Any]] = [
        (f"{at} of all", f"{np.quantile(w, q):.0f}", f"{np.quantile(h, q):.0f}", "")
        for at, q in (("smallest", 0), ("median", 0.5), ("largest", 1))
    ]
    rows += [("common", *size, f"{n:,}") for size, n in sizes.most_common(_SIZES)]
    yield Table(["", "width", "height", "pictures"], rows, f"Picture sizes ({len(sizes)} sizes)")
    limit = min(_SMALLEST_PX, min(np.median(w), np.median(h)) / 2)
    yield from flag(
        "warning",
        "tiny picture",
        [f"{one.name}: {one.facts.size}" for one in seen if min(one.facts.size) < limit],
        "Much smaller than the others.",
        "They may be thumbnails or icons: look at them.",
    )


@PROBES.register("masks")
def find_bad_masks(subject: Subject) -> Iterator[Finding]:
    """Report masks with values that stand for no code, or of another size than their picture.

    Args:
        subject: What to look at.
    """
    masks = subject.facts(MaskFacts)
    if not masks:
        return
    values: Counter[int] = Counter()
    for seen in masks:
        values.update(seen.facts.values)
    tasks = [task for task in listify(subject.dls.task) if isinstance(task, DenseLabels)]
    codes = dict(enumerate(tasks[0].codes)) if tasks else {}
    div = subject.dls.gather("div_mask") or 1
    share = 1 / values.total()
    rows = [(v, codes.get(v // div, ""), f"{n * share:.2%}") for v, n in sorted(values.items())]
    yield Table(["value", "code", "share of pixels"], rows, "Values of the masks")
    wrong = {v for v in values if codes and v // div not in codes}
    yield from flag(
        "error",
        "mask values",
        names_of(one for one in masks if wrong & set(one.facts.values)),
        f"Masks have the values {_numbers(values)}, but the {len(codes)} codes stand for 0 to "
        f"{len(codes) - 1} only.",
        _mask_advice(set(values), len(codes)),
    )
    sizes = _sizes_of_pictures(subject)
    yield from flag(
        "error",
        "mask size",
        names_of(m for m in masks if sizes.get((m.split, m.index), m.facts.size) != m.facts.size),
        "The mask has another size than its picture.",
        "It may belong to another picture, or to one that was turned or resized.",
    )


def _mask_advice(values: set[int], n: int) -> str:
    """Say how to bring values into 0 to n - 1."""
    inside = set(range(n))
    if len(values) == n and n > 1:
        given = ", ".join(map(str, sorted(values)))
        return f"Say which value stands for which code: MaskBlock(codes, values=[{given}])."
    if values - inside == {255}:
        return (
            "255 usually marks pixels that belong to no class: let the loss leave them out "
            "(ignore_index=255), or give a code for them with MaskBlock(codes, values=[...])."
        )
    if {value - 1 for value in values} <= inside:
        return f"The values start at 1: MaskBlock(codes, values=range(1, {n + 1}))."
    return f"Give a code for every value up to {max(values)}, or map the values onto the codes."


@PROBES.register("boxes")
def find_bad_boxes(subject: Subject) -> Iterator[Finding]:
    """Report boxes that are empty or reach out of their picture, and items without boxes.

    Args:
        subject: What to look at.
    """
    sizes = _sizes_of_pictures(subject)
    found: dict[str, list[str]] = defaultdict(list)
    for seen in subject.facts(BoxFacts):
        boxes, size = seen.facts.boxes, seen.facts.size or sizes.get((seen.split, seen.index))
        found["no box"] += [] if len(boxes) else [seen.name]
        for kind, box in _bad_boxes(boxes, size):
            found[kind].append(f"{seen.name}: {box}")
    for severity, kind, message, advice in (
        ("warning", "empty box", "They have no area, and are left out.", "Mend them."),
        ("warning", "box outside", "They reach out of the picture.", "Check the file, or clip."),
        ("note", "no box", "These have no box.", "That is right for pictures of background only."),
    ):
        yield from flag(severity, kind, found[kind], message, advice)


def _bad_boxes(boxes: np.ndarray, size: Size | None) -> Iterator[tuple[str, list[float]]]:
    for box in boxes.tolist():
        left, top, right, bottom = box
        if not (left < right and top < bottom):
            yield "empty box", box
        elif size and (min(left, top) < -0.5 or right > size[0] + 0.5 or bottom > size[1] + 0.5):
            yield "box outside", box


@PROBES.register("points")
def find_points_outside(subject: Subject) -> Iterator[Finding]:
    """Report points that lie outside their picture.

    Args:
        subject: What to look at.
    """
    sizes = _sizes_of_pictures(subject) if subject.dls.gather("do_scale") else {}
    turn = -1 if subject.dls.gather("y_first") else 1
    outside: list[str] = []
    for seen in subject.facts(TensorPoint):
        size = sizes.get((seen.split, seen.index))
        if size and seen.facts.meta is None:  # those that know their picture are no pixels
            points = np.asarray(plain(seen.facts), dtype=np.float64)
            wrong = ((points < -0.5) | (points > np.array(size[::turn]) + 0.5)).any(-1)
            outside += [f"{seen.name}: {point}" for point in points[wrong].tolist()]
    message = "They lie outside the picture."
    advice = "Check the file they are from, and whether y comes first: PointScaler(y_first=True)."
    yield from flag("warning", "point outside", outside, message, advice)


def _sizes_of_pictures(subject: Subject) -> dict[tuple[str, int], Size]:
    inputs = (seen for seen in subject.facts(PictureFacts) if not seen.is_target)
    return {(seen.split, seen.index): seen.facts.size for seen in inputs}


def _numbers(values: Iterable[int]) -> str:
    names = [str(value) for value in sorted(values)]
    return ", ".join([*names[:8], "..."] if len(names) > 9 else names)
