import json
from pathlib import Path

import pytest

from lamina.foundation.errors import DataError
from lamina.vision.targets.annotations import get_annotations, get_voc_annotations

COCO = {
    "images": [{"id": 5, "file_name": "b.jpg"}, {"id": 2, "file_name": "a.jpg"}, {"id": 3}],
    "annotations": [
        {"image_id": 2, "category_id": 1, "bbox": [10, 20, 30, 40]},
        {"image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1]},
        {"image_id": 2, "category_id": 7, "bbox": [1, 2, 3, 4.5]},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}],
}
VOC = """<annotation><filename>a.jpg</filename><object><name>cell</name><bndbox>
<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"""


def written(folder: Path, text: str) -> Path:
    path = folder / "annotations"
    path.write_text(text, encoding="utf-8")
    return path


def test_coco_boxes_become_corners_of_each_picture(tmp_path: Path):
    images = [*COCO["images"][:2], {"id": 3, "file_name": "empty.jpg"}]
    file = written(tmp_path, json.dumps({**COCO, "images": images}))
    names, boxes = get_annotations(file)
    assert names == ["b.jpg", "a.jpg"]
    assert boxes[1] == ([[10, 20, 40, 60], [1, 2, 4, 6.5]], ["cat", "dog"])


def test_names_may_get_a_prefix(tmp_path: Path):
    file = written(tmp_path, json.dumps({**COCO, "images": COCO["images"][:2]}))
    assert get_annotations(file, "train/")[0] == ["train/b.jpg", "train/a.jpg"]


@pytest.mark.parametrize("text", ["no json", "{}", "[]", json.dumps(COCO)])
def test_another_file_is_refused_by_name(tmp_path: Path, text: str):
    with pytest.raises(DataError, match=r"annotations is no COCO file.*Expected json"):
        get_annotations(written(tmp_path, text))


def test_voc_files_are_read_one_by_one(tmp_path: Path):
    file = written(tmp_path, VOC)
    assert get_voc_annotations([file], "x/") == (["x/a.jpg"], [([[1, 2, 3, 4]], ["cell"])])


@pytest.mark.parametrize("text", ["<annotation>", "<annotation/>", VOC.replace("xmin", "left")])
def test_another_xml_is_refused_by_name(tmp_path: Path, text: str):
    with pytest.raises(DataError, match=r"annotations is no Pascal VOC.*Expected xml"):
        get_voc_annotations([written(tmp_path, text)])
