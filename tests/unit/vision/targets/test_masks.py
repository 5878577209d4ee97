from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.data.block import DataBlock
from lamina.data.normalize import IntToFloatTensor, Normalize
from lamina.data.task import DenseLabels
from lamina.foundation.errors import ContractError, ItemError
from lamina.vision.blocks import ImageBlock, MaskBlock
from lamina.vision.targets.masks import OpenMask


def saved(folder: Path, values: list[int]) -> Path:
    path = folder / "mask.png"
    Image.fromarray(np.array([values], dtype=np.uint8)).save(path)
    return path


def opened(tfm: OpenMask, path: Path) -> list[int]:
    return np.asarray(tfm(path)).tolist()[0]


def test_a_mask_with_the_values_of_its_codes_is_opened(tmp_path: Path):
    assert opened(OpenMask(["road", "sky"]), saved(tmp_path, [0, 1, 1])) == [0, 1, 1]


def test_without_codes_nothing_is_checked(tmp_path: Path):
    assert opened(OpenMask(), saved(tmp_path, [0, 255])) == [0, 255]
    assert OpenMask().task is None


def test_values_stand_for_the_codes(tmp_path: Path):
    assert opened(OpenMask(["a", "b"], values=[255, 3]), saved(tmp_path, [3, 255])) == [1, 0]


def test_a_value_without_code_is_refused_with_file_values_and_cure(tmp_path: Path):
    path = saved(tmp_path, [1, 2, 3])
    with pytest.raises(ItemError) as caught:
        OpenMask(["pet", "background", "border"])(path)
    for part in (str(path), "1, 2, 3", "3 stand for no code", "0 to 2", "values=[1, 2, 3]"):
        assert part in str(caught.value)


def test_black_and_white_masks_get_the_hint_to_divide(tmp_path: Path):
    with pytest.raises(ItemError, match=r"values=\[0, 255\].*IntToFloatTensor\(div_mask=255\)"):
        OpenMask(["no", "yes"])(saved(tmp_path, [0, 255]))


def test_values_that_were_not_named_are_refused(tmp_path: Path):
    with pytest.raises(ItemError, match=r"of which 4 stand for no code.* expected 0, 9"):
        OpenMask(["a", "b"], values=[0, 9])(saved(tmp_path, [0, 4, 9]))


@pytest.mark.parametrize("codes", [None, ["a"]])
def test_every_code_needs_a_value(codes):
    with pytest.raises(ContractError, match="2 values for"):
        OpenMask(codes, values=[0, 1])


def test_a_division_in_the_batch_counts(tmp_path: Path):
    block = DataBlock(blocks=(ImageBlock, MaskBlock(["no", "yes"])), get_y=lambda path: path)
    dls = block.dataloaders(
        [saved(tmp_path, [0, 255])] * 5,
        batch_tfms=IntToFloatTensor(div_mask=255),
        bs=2,
        device="cpu",
    )
    assert dls.one_batch()[1].tolist() == [[[0, 1]]] * 2


def test_the_summary_knows_of_a_division_in_the_batch(tmp_path: Path):
    block = DataBlock(
        blocks=(ImageBlock, MaskBlock(["no", "yes"])),
        get_y=lambda path: path,
        batch_tfms=[IntToFloatTensor(div_mask=255), Normalize],
    )
    report = block.summary([saved(tmp_path, [0, 255])] * 5, bs=2)
    assert report.batch[1].tolist() == [[[0, 1]]] * 2
    with pytest.raises(ItemError, match="255 stand for no code"):
        block.new(batch_tfms=IntToFloatTensor()).summary([saved(tmp_path, [0, 255])] * 5)


def test_codes_may_be_an_array():
    tfm = OpenMask(np.array(["road", "sky"]))
    assert tfm.task == DenseLabels(("road", "sky"))
    assert tfm.vocab == ("road", "sky")
