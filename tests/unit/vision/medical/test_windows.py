"""Windows and even scales, against what they are by hand."""

import pytest
import torch

from lamina.foundation.errors import UnknownNameError
from lamina.vision.medical.windows import (
    dicom_windows,
    freqhist_bins,
    hist_scaled,
    pct_in_window,
    to_nchan,
    windowed,
)


def test_the_named_windows():
    assert dicom_windows["lungs"] == (1500, -600)
    assert dicom_windows["spine_bone"] == (1800, 400)
    assert len(dicom_windows) == 11


def test_a_window_runs_from_its_lower_to_its_upper_edge():
    x = torch.tensor([[-2000.0, -1350.0], [-600.0, 150.0]])
    assert windowed(x, "lungs").tolist() == [[0, 0], [0.5, 1]]
    assert windowed(x, (100, -600)).tolist() == [[0, 0], [0.5, 1]]
    assert pct_in_window(x, "lungs") == 0.25


def test_a_misspelt_window_is_told():
    with pytest.raises(UnknownNameError, match="Did you mean 'subdural'"):
        windowed(torch.zeros(1), "subdual")


def test_bins_hold_equally_many_values():
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).exp()
    bins = freqhist_bins(x, 10)
    counts = torch.histogram(x, bins)[0]
    assert len(bins) == 12
    torch.testing.assert_close(counts[1:-1], torch.full((9,), 2000.0), atol=1, rtol=0)


def test_the_even_scale_is_even_and_keeps_the_order():
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).exp()
    scaled = hist_scaled(x)
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert (scaled[x.argsort()].diff() >= 0).all()
    inner = torch.histc(scaled, 10, 0.1, 0.9)
    assert inner.min() > 0.9 * inner.max()


def test_one_value_everywhere_is_dark():
    assert hist_scaled(torch.full((2, 3), 7.0)).tolist() == [[0] * 3] * 2


def test_windows_become_channels():
    x = torch.linspace(-1000, 1000, 64).view(8, 8)
    assert to_nchan(x, ["brain", "lungs"]).shape == (3, 8, 8)
    channels = to_nchan(x, ["brain", "lungs"], bins=0)
    torch.testing.assert_close(channels[1], windowed(x, "lungs"))
