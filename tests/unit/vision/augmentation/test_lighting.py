from colorsys import hsv_to_rgb, rgb_to_hsv

import pytest
import torch

from lamina.foundation.errors import ContractError
from lamina.foundation.seeding import Randomness, using
from lamina.tensor.types import TensorImage, plain
from lamina.vision.augmentation.lighting import (
    Brightness,
    Contrast,
    Hue,
    Lighting,
    Saturation,
    relight,
    turn_hue,
)


def ramp(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.linspace(0, 1, 2 * 3 * 4 * 4, dtype=dtype).view(2, 3, 4, 4)


def amounts(a: float, b: float) -> torch.Tensor:
    return torch.tensor([a, b])


def test_neutral_amounts_change_nothing():
    out = relight(ramp(), amounts(0.5, 0.5), amounts(1, 1), amounts(1, 1))
    torch.testing.assert_close(out, ramp(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_no_pixel_leaves_the_range(dtype: torch.dtype):
    x = ramp(dtype) * 1.2 - 0.1
    out = relight(x, amounts(0.01, 0.99), amounts(5, 0.1), amounts(3, 0.5))
    assert out.dtype == dtype
    assert ((out >= 0) & (out <= 1)).all()


def test_each_item_has_its_own_amount():
    both = relight(ramp(), amounts(0.3, 0.6), amounts(0.8, 1.2))
    alone = relight(ramp()[1:], amounts(0, 0.6)[1:], amounts(0, 1.2)[1:])
    torch.testing.assert_close(both[1:], alone)


def test_brightness_names_what_mid_grey_becomes():
    grey = torch.full((2, 3, 1, 1), 0.5)
    out = relight(grey, brightness=amounts(0.7, 0.2))
    torch.testing.assert_close(out[:, 0, 0, 0], amounts(0.7, 0.2))


def test_contrast_spreads_around_mid_grey():
    x = torch.tensor([0.25, 0.5, 0.75]).view(1, 3, 1, 1)
    out = relight(x, contrast=torch.tensor([2.0])).flatten().tolist()
    assert out == pytest.approx([0.1, 0.5, 0.9])  # odds of 1/3 squared are 1/9


def test_no_saturation_is_grey_and_more_of_it_spreads_the_channels():
    out = relight(ramp(), saturation=amounts(0, 2))
    torch.testing.assert_close(out[0, 0], out[0, 2])
    assert (out[1].std(0) > ramp()[1].std(0)).all()


def test_a_grey_picture_has_no_saturation():
    grey = ramp()[:, :1]
    torch.testing.assert_close(relight(grey, saturation=amounts(0, 2)), grey, rtol=0, atol=1e-6)


def test_the_formula_in_double_precision():
    x = ramp(torch.float64)[:, :, 1:]
    out = relight(x, amounts(0.6, 0.4), amounts(1.1, 0.9))
    add = amounts(0.6, 0.4).double().logit().view(2, 1, 1, 1)
    factor = amounts(1.1, 0.9).double().view(2, 1, 1, 1)
    odds = (x / (1 - x)) ** factor * add.exp()
    torch.testing.assert_close(out[:, :, :-1], (odds / (1 + odds))[:, :, :-1])


def test_the_input_is_left_alone():
    x = ramp()
    relight(x, amounts(0.9, 0.1), amounts(2, 2), amounts(2, 2))
    torch.testing.assert_close(x, ramp(), rtol=0, atol=0)


def test_in_place_does_the_same_and_reuses_the_memory():
    args = amounts(0.9, 0.1), amounts(2, 2)
    x = ramp()
    out = relight(x, *args, in_place=True)
    assert out.data_ptr() == x.data_ptr()
    torch.testing.assert_close(out, relight(ramp(), *args), rtol=0, atol=0)


@pytest.mark.parametrize("in_place", [False, True])
def test_gradients_pass(in_place: bool):
    x = ramp(torch.float64)[:, :, 1:-1].clone().requires_grad_()

    def lit(x):
        return relight(
            x * 1, amounts(0.6, 0.4), amounts(2, 0.5), amounts(2, 0.5), in_place=in_place
        )

    assert torch.autograd.gradcheck(lit, x)


def turned(x: torch.Tensor, turn: float) -> torch.Tensor:
    return turn_hue(x, torch.full((len(x),), turn))


@pytest.mark.parametrize("turn", [-0.7, -0.1, 0.0, 0.05, 0.4])
def test_hue_is_that_of_hsv(turn: float):
    x = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    expected = [
        hsv_to_rgb((h + turn) % 1, s, v)
        for h, s, v in (rgb_to_hsv(*p) for p in x.movedim(1, -1).reshape(-1, 3).tolist())
    ]
    got = turned(x, turn).movedim(1, -1).reshape(-1, 3)
    torch.testing.assert_close(got, torch.tensor(expected).double(), rtol=0, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_what_has_no_three_channels_has_no_hue(channels: int):
    x = torch.rand(2, channels, 4, 4)
    assert turned(x, 0.3) is x
    assert torch.equal(relight(x, hue=torch.tensor([0.3, 0.3])), x)
    (out,) = (Hue(p=1.0)(TensorImage(x), split_idx=0),)
    assert torch.equal(plain(out), x)


def test_grey_stays_grey_and_nothing_is_overwritten():
    grey = torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1).contiguous()
    before = grey.clone()
    torch.testing.assert_close(turned(grey, 0.3), grey)
    relight(grey, amounts(0.6, 0.6), hue=amounts(0.3, 0.3))
    assert torch.equal(grey, before)


def test_hue_joins_the_other_changes():
    x = torch.rand(2, 3, 4, 4)
    together = relight(x, amounts(0.6, 0.4), hue=amounts(0.1, 0.2))
    torch.testing.assert_close(together, relight(turn_hue(x, amounts(0.1, 0.2)), amounts(0.6, 0.4)))


def test_one_draw_of_light_for_the_whole_batch_on_demand():
    x = TensorImage(torch.rand(1, 3, 4, 4).expand(5, -1, -1, -1))
    with using(Randomness(0)):
        out = plain(Lighting(0.5, 0.5, 0.5, p=1.0, hue=0.3, batch=True)(x, split_idx=0))
    torch.testing.assert_close(out, out[:1].expand_as(out))


@pytest.mark.parametrize(
    ("make", "amount", "by_hand"),
    [
        (Brightness, 0.7, {"brightness": 0.7}),
        (Contrast, 1.5, {"contrast": 1.5}),
        (Saturation, 0.0, {"saturation": 0.0}),
        (Hue, 0.25, {"hue": 0.25}),
    ],
)
def test_the_caller_may_decide_how_much(make, amount: float, by_hand: dict[str, float]):
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    done = make(p=1.0, draw=amount)(TensorImage(x), split_idx=0)
    expected = relight(x, **{name: torch.full((2,), value) for name, value in by_hand.items()})
    torch.testing.assert_close(plain(done), expected)


def test_each_item_gets_what_the_caller_draws_for_it():
    x = torch.full((3, 3, 2, 2), 0.5)
    levels = torch.tensor([0.2, 0.5, 0.8])
    done = Brightness(p=1.0, draw=lambda n: levels[:n])(TensorImage(x), split_idx=0)
    torch.testing.assert_close(plain(done)[:, 0, 0, 0], levels)


def test_one_number_does_not_say_two_amounts():
    with pytest.raises(ContractError, match="Expected exactly one that is not 0"):
        Lighting(brightness=0.2, contrast=0.2, draw=0.7)
