"""Files that list the boxes of pictures: COCO's json and Pascal VOC's xml."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

from lamina.foundation.errors import DataError
from lamina.foundation.signatures import strict

__all__ = ["LabelledBoxes", "get_annotations", "get_voc_annotations"]

LabelledBoxes: TypeAlias = tuple[list[list[float]], list[str]]


@strict
def get_annotations(
    fname: str | Path, prefix: str | None = None
) -> tuple[list[str], list[LabelledBoxes]]:
    """Read a COCO file: the names of the pictures that have boxes, and these with their labels.

    Args:
        fname: The json file.
        prefix: Put before the names.

    Returns:
        `(names, [(boxes, labels), ...])`; a box is left, top, right, bottom in pixels.

    Raises:
        DataError: The file is no COCO file with boxes.

    Source: the fastai paper, "Data block API".
    """
    try:
        found: dict[str, Any] = json.loads(Path(fname).read_text(encoding="utf-8"))
        kinds = {kind["id"]: kind["name"] for kind in found["categories"]}
        boxes: dict[Any, LabelledBoxes] = defaultdict(lambda: ([], []))
        for note in found["annotations"]:
            left, top, width, height = note["bbox"]
            boxes[note["image_id"]][0].append([left, top, left + width, top + height])
            boxes[note["image_id"]][1].append(kinds[note["category_id"]])
        names = {im["id"]: (prefix or "") + im["file_name"] for im in found["images"]}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"get_annotations: {fname} is no COCO file of boxes ({error!r}). Expected json with "
            "images, annotations (image_id, category_id, bbox) and categories."
        ) from error
    ids = [i for i in names if i in boxes]
    return [names[i] for i in ids], [boxes[i] for i in ids]


@strict
def get_voc_annotations(
    fnames: Iterable[str | Path], prefix: str | None = None
) -> tuple[list[str], list[LabelledBoxes]]:
    """Read Pascal VOC files, one for each picture.

    Args:
        fnames: The xml files.
        prefix: Put before the names.

    Returns:
        As `get_annotations`.

    Raises:
        DataError: A file is no VOC annotation; the message names it.
    """
    read = [_read_voc(Path(fname)) for fname in fnames]
    return [(prefix or "") + name for name, _ in read], [boxes for _, boxes in read]


def _read_voc(fname: Path) -> tuple[str, LabelledBoxes]:
    try:
        root = ET.fromstring(fname.read_text(encoding="utf-8"))
        objects = root.findall("object")
        corners = ("xmin", "ymin", "xmax", "ymax")
        boxes = [[float(_text(o, f"bndbox/{side}")) for side in corners] for o in objects]
        return _text(root, "filename"), (boxes, [_text(o, "name") for o in objects])
    except (ET.ParseError, ValueError) as error:
        raise DataError(
            f"get_voc_annotations: {fname} is no Pascal VOC annotation ({error}). Expected xml "
            "with filename, and objects with name and bndbox."
        ) from error


def _text(node: ET.Element, path: str) -> str:
    if not (text := node.findtext(path)):
        raise ValueError(f"{node.tag} without {path}")
    return text
