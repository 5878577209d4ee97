import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from lamina.tensor.build import tensor


def test_tensor_is_returned_as_it_is():
    given = torch.zeros(2, dtype=torch.float64)
    assert tensor(given) is given


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (1, torch.int64),
        (1.5, torch.float32),
        (True, torch.bool),
        ([1, 2], torch.int64),
        (np.float64(1.5), torch.float32),
        (np.ones(2), torch.float32),
        (np.ones(2, np.uint8), torch.uint8),
        (np.ones(2, np.uint16), torch.float32),
        (np.ones(2, ">i4"), torch.int32),
        (pd.Series([1, 2]), torch.int64),
        (pd.DataFrame({"a": [1.0]}), torch.float32),
        (Image.new("L", (2, 2)), torch.uint8),
        (range(3), torch.int64),
    ],
)
def test_dtype_of_the_result(given, dtype):
    assert tensor(given).dtype is dtype


def test_several_numbers_make_a_vector():
    assert tensor(1, 2, 3).tolist() == [1, 2, 3]


def test_list_of_tensors_is_stacked():
    assert tensor([torch.ones(2), torch.zeros(2)]).tolist() == [[1, 1], [0, 0]]


def test_list_of_arrays_is_stacked():
    assert tensor([np.ones(2), np.zeros(2)]).tolist() == [[1, 1], [0, 0]]


def test_array_shares_memory():
    array = np.zeros(2, np.float32)
    tensor(array)[0] = 7
    assert array.tolist() == [7, 0]


def test_read_only_and_reversed_arrays_are_copied():
    array = np.arange(3)
    array.flags.writeable = False
    assert tensor(array).tolist() == [0, 1, 2]
    assert tensor(np.arange(3)[::-1]).tolist() == [2, 1, 0]


def test_dtype_and_device_are_obeyed():
    assert tensor([1.0], dtype=torch.float64).dtype is torch.float64
    assert tensor(1, device="meta").device.type == "meta"
