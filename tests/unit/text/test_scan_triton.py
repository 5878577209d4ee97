"""Which scan a QRNN takes: Triton's where it runs and is there, else PyTorch's."""

import sys

import pytest
import torch

from lamina.foundation.errors import ContractError, MissingExtraError, UnknownNameError
from lamina.text.models import scan_triton
from lamina.text.models.qrnn import forget_mult
from lamina.text.models.scan_triton import uses_triton


@pytest.fixture(autouse=True)
def _first_kernels(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    scan_triton._kernels.cache_clear()
    scan_triton.works_on.cache_clear()
    yield
    scan_triton._kernels.cache_clear()
    scan_triton.works_on.cache_clear()


@pytest.fixture
def no_triton(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton.language", None)


@pytest.mark.parametrize("kernel", [None, "torch"])
def test_on_a_cpu_the_scan_is_that_of_pytorch(kernel):
    assert not uses_triton(kernel, torch.ones(1, 2, 3))


def test_without_the_package_so_it_is_everywhere(no_triton, monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    half = torch.full((1, 3, 1), 0.5)

    assert not uses_triton(None, half)
    assert forget_mult(torch.ones(1, 3, 1), half).flatten().tolist() == [0.5, 0.75, 0.875]


def test_a_missing_package_that_is_asked_for_is_named(no_triton):
    with pytest.raises(MissingExtraError, match=r"'triton', .* 'lamina\[text-gpu\]'"):
        forget_mult(torch.ones(1, 2, 3), torch.ones(1, 2, 3), kernel="triton")


def test_an_unknown_kernel_is_refused():
    with pytest.raises(UnknownNameError, match=r"unknown kernel 'tritan'\. Did you mean 'triton'"):
        forget_mult(torch.ones(1, 2, 3), torch.ones(1, 2, 3), step=2, kernel="tritan")


def test_values_on_a_cpu_are_refused_by_a_kernel_for_gpus():
    pytest.importorskip("triton")
    with pytest.raises(ContractError, match=r"values are on cpu\. Move them, or leave out kernel="):
        forget_mult(torch.ones(1, 2, 3), torch.ones(1, 2, 3), kernel="triton")
