from functools import partial

import pytest
import torch
from torch import nn
from torch.export import Dim, export

from lamina.foundation.errors import ContractError, UnknownArgumentError
from lamina.nn.norm import NormType
from lamina.vision.models.architectures import Architecture, find_architecture
from lamina.vision.models.model import split_groups
from lamina.vision.models.stages import StagedBody, create_staged_body
from lamina.vision.models.unet import create_unet_model


class Pyramid(nn.Module):
    """A network that gives maps of several sizes, two of them the same."""

    def __init__(self, n_in: int = 3) -> None:
        super().__init__()
        sizes = [(n_in, 4, 2), (4, 8, 2), (8, 8, 1), (8, 12, 2)]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, s, 1) for i, o, s in sizes)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x := conv(x) for conv in self.convs]


def pyramid(*, n_in: int, n_out: int) -> Pyramid:
    return Pyramid(n_in)


def nested(*, n_in: int, n_out: int) -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(n_in, 4, 3, 2, 1), nn.ReLU())
    stages = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1))
    return nn.Sequential(stem, stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def channels(arch: object, size: int = 64) -> list[int]:
    image = torch.zeros(1, 3, size, size)
    return [m.shape[1] for m in create_staged_body(find_architecture(arch), image).eval()(image)]


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("resnet18", [3, 64, 64, 128, 256, 512]),
        ("mobilenet_v2", [3, 16, 24, 32, 96, 320]),
        ("squeezenet1_1", [3, 64, 128, 256, 512]),
        ("xresnet18", [3, 64, 64, 128, 256, 512]),
        (pyramid, [3, 4, 8, 12]),
        (nested, [3, 4, 8, 16]),
    ],
)
def test_the_last_map_of_each_size_is_handed_on(arch, expected: list[int]):
    assert channels(arch) == expected


def test_a_first_layer_that_keeps_the_size_gives_a_map_in_full_size():
    image = torch.zeros(1, 3, 8, 8)
    body = StagedBody(nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2)), image)
    assert [m.shape[-1] for m in body(image)] == [8, 8, 4]


def test_a_body_without_maps_is_refused():
    def flat(*, n_in: int, n_out: int) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(n_out))

    with pytest.raises(ContractError, match=r"flat gives a map of shape \(1, 3\).*Pass cut="):
        create_unet_model(flat, 2, cut=2)


@pytest.mark.parametrize("arch", ["mobilenet_v2", "squeezenet1_1", pyramid, nested])
@pytest.mark.parametrize("size", [(64, 64), (65, 83), (33, 40)])
def test_the_result_has_the_size_of_the_picture(arch, size: tuple[int, int]):
    model = create_unet_model(arch, 2, (64, 64), n_in=1).eval()
    assert model(torch.zeros(1, 1, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize(
    "options",
    [
        {"blur": True},
        {"blur": True, "blur_final": False},
        {"self_attention": True},
        {"last_cross": False},
        {"bottle": True, "act_cls": nn.SiLU},
        *({"norm_type": norm} for norm in NormType),
        {"init": None},
    ],
)
def test_every_option_builds_and_trains(options):
    model = create_unet_model(pyramid, 2, (32, 32), **options)
    out = model(torch.randn(2, 3, 32, 32))
    out.square().mean().backward()
    assert out.shape == (2, 2, 32, 32)
    used = [p for name, p in model.named_parameters() if p.grad is not None]
    assert len(used) == len(list(model.parameters()))


def count(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(m, kind) for m in model.modules())


def test_the_last_enlarging_is_not_blurred_on_wish():
    make = partial(create_unet_model, pyramid, 2, (32, 32), blur=True)
    assert [count(make(blur_final=final), nn.AvgPool2d) for final in (True, False)] == [2, 1]


def test_y_range_bounds_the_result():
    model = create_unet_model(pyramid, 1, (32, 32), y_range=(-1.0, 2.0))
    out = model(100 * torch.randn(2, 3, 32, 32))
    assert ((out >= -1) & (out <= 2)).all()


def test_enlarging_starts_without_a_checkerboard():
    block = create_unet_model(pyramid, 1, (32, 32)).head.blocks[0]
    out = block.up(torch.randn(1, 12, 4, 4))
    assert torch.equal(out[..., ::2, ::2], out[..., 1::2, 1::2])


def test_an_unknown_option_is_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'blur'"):
        create_unet_model(pyramid, 2, blurr=True)


def test_the_groups_are_those_of_the_classifier_and_the_decoder():
    model = create_unet_model("resnet18", 2, (64, 64))
    groups = split_groups(model)
    assert [p.shape[0] for p in (groups[0][0], groups[1][0])] == [64, 256]
    assert {id(p) for p in groups[2]} == {id(p) for p in model.head.parameters()}
    assert sum(map(len, groups)) == len(list(model.parameters()))


def test_one_exported_program_serves_every_size():
    model = create_unet_model(pyramid, 2, (32, 32), self_attention=True).eval()
    auto = {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}
    program = export(model, (torch.randn(2, 3, 32, 32),), dynamic_shapes=(auto,)).module()
    x = torch.randn(3, 3, 45, 70)
    torch.testing.assert_close(program(x), model(x))


def test_nothing_is_kept_between_calls():
    model = create_unet_model(pyramid, 2, (32, 32)).eval()
    assert not any(m._forward_hooks for m in model.modules())
    x = torch.randn(2, 3, 32, 32)
    expected = model(x)
    model(torch.randn(1, 3, 64, 64))
    assert torch.equal(model(x), expected)


def test_a_narrow_network_of_ones_own_is_an_entry(tmp_path):
    entry = Architecture("narrow", partial(nested), groups=(1,))
    assert [len(g) for g in split_groups(create_unet_model(entry, 2, (32, 32)))][:2] == [2, 4]
