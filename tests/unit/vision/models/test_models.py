import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lamina.foundation.errors import (
    BundleError,
    ContractError,
    UnknownArgumentError,
    UnknownNameError,
)
from lamina.nn.models.resnet import resnet18
from lamina.vision.augmentation.resize import RandomResizedCrop
from lamina.vision.images import PILImage
from lamina.vision.models.architectures import (
    ARCHITECTURES,
    Architecture,
    find_architecture,
    imagenet_stats,
)
from lamina.vision.models.body import adapt_first_layer, create_body, cut_model, load_weights
from lamina.vision.models.head import create_head
from lamina.vision.models.model import VisionModel, create_vision_model, split_groups
from lamina.vision.models.published import densenet


class Toy(nn.Module):
    """Two convolutions, a pooling layer and a classifier, in a module of one's own."""

    def __init__(self, n_in: int = 3, n_out: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(n_in, 4, 3, dilation=2), nn.Conv2d(4, 6, 3))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, n_out)


def toy(*, n_in: int = 3, n_out: int = 10) -> Toy:
    return Toy(n_in, n_out)


@pytest.mark.parametrize("name", ARCHITECTURES.names())
def test_groups_cover_all_parameters_exactly_once(name: str):
    with torch.device("meta"):
        arch = ARCHITECTURES[name]
        body = cut_model(arch.make(), arch.cut)
        model = VisionModel(body, create_head(8, 2), arch.groups)
    groups = split_groups(model)
    assert len(groups) == 3
    assert all(groups)
    found = [p for group in groups for p in group]
    assert len(found) == len({id(p) for p in found})
    assert {id(p) for p in found} == {id(p) for p in model.parameters()}


@pytest.mark.parametrize(
    ("name", "first_of_second"),
    [
        ("resnet34", "body.layer3"),
        ("mobilenet_v2", "body.features.7"),
        ("xresnet18", "body.4"),
        ("alexnet", "body.features.6"),
        ("densenet121", "body.features.transition2"),
    ],
)
def test_where_the_second_group_begins(name: str, first_of_second: str):
    model = create_vision_model(name, 2)
    names = {id(p): n for n, p in model.named_parameters()}
    assert names[id(split_groups(model)[1][0])].startswith(first_of_second)


@pytest.mark.parametrize(
    ("name", "n_params"),
    [
        ("alexnet", 61_100_840),
        ("vgg11_bn", 132_868_840),
        ("vgg13_bn", 133_053_736),
        ("vgg16_bn", 138_365_992),
        ("vgg19_bn", 143_678_248),
        ("densenet121", 7_978_856),
        ("densenet161", 28_681_000),
        ("densenet169", 14_149_480),
        ("densenet201", 20_013_928),
    ],
)
def test_published_sizes(name: str, n_params: int):
    with torch.device("meta"):
        assert sum(p.numel() for p in ARCHITECTURES[name].make().parameters()) == n_params


def test_older_files_of_densenets_load(tmp_path: Path):
    model, other = (densenet((2, 1), 4, 8) for _ in range(2))
    old = {re.sub(r"(norm|conv)([12])", r"\1.\2", k): v for k, v in other.state_dict().items()}
    assert "features.denseblock1.denselayer2.norm.1.bias" in old
    torch.save(old, tmp_path / "densenet.pth")
    load_weights(model, tmp_path / "densenet.pth")
    torch.testing.assert_close(dict(model.named_parameters()), dict(other.named_parameters()))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1", "xresnet18"])
@pytest.mark.parametrize("n_in", [1, 3, 4])
def test_a_model_gives_the_outputs_asked_for(name: str, n_in: int):
    model = create_vision_model(name, 5, n_in=n_in).eval()
    assert model(torch.zeros(2, n_in, 64, 64)).shape == (2, 5)


def test_any_callable_is_an_architecture():
    model = create_vision_model(toy, 2, n_in=1)
    assert [n for n, _ in model.body.named_children()] == ["features"]
    assert model(torch.zeros(2, 1, 16, 16)).shape == (2, 2)
    assert [len(g) for g in split_groups(model)] == [4, 6]


def test_groups_miss_nothing_of_a_body_of_one_layer():
    model = VisionModel(nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Linear(4, 2))
    assert [len(g) for g in split_groups(model)] == [2, 2]


def test_names_functions_and_entries_find_the_same():
    entry = ARCHITECTURES["resnet18"]
    assert find_architecture("resnet18") is find_architecture(resnet18) is entry
    assert find_architecture(entry) is entry
    assert find_architecture(toy) == Architecture("toy", toy)


def test_an_unknown_name_is_refused_with_the_closest():
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet34'"):
        create_vision_model("resnet-34", 2)
    with pytest.raises(ContractError, match="a name or a function, not 34"):
        create_vision_model(34, 2)


def test_one_channel_gets_the_sum_of_the_colours():
    model = toy()
    old = model.features[0].weight.clone()
    adapt_first_layer(model, 1)
    torch.testing.assert_close(model.features[0].weight, old.sum(1, keepdim=True))
    assert model.features[0].dilation == (2, 2)


def test_a_grey_picture_gives_what_its_colours_gave():
    model, grey = toy(), torch.rand(1, 1, 8, 8)
    expected = model.features(grey.expand(-1, 3, -1, -1))
    adapt_first_layer(model, 1)
    torch.testing.assert_close(model.features(grey), expected)


def test_two_channels_get_two_colours_and_a_half():
    model = toy()
    old = model.features[0].weight.clone()
    adapt_first_layer(model, 2)
    torch.testing.assert_close(model.features[0].weight, old[:, :2] * 1.5)


def test_further_channels_start_at_zero():
    model = toy()
    conv = model.features[0]
    adapt_first_layer(model, 5)
    assert model.features[0].weight[:, 3:].count_nonzero() == 0
    torch.testing.assert_close(model.features[0].weight[:, :3], conv.weight)
    torch.testing.assert_close(model.features[0].bias, conv.bias)


def test_the_first_layer_is_the_first_in_depth():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Conv2d(4, 6, 3))
    adapt_first_layer(model, 1)
    assert model(torch.zeros(1, 1, 8, 8)).shape == (1, 6, 4, 4)


def test_without_a_convolution_there_is_nothing_to_adapt():
    with pytest.raises(ContractError, match="Linear has no 2-d convolution to give 1 channels"):
        adapt_first_layer(nn.Linear(2, 2), 1)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_load_and_are_upcast(tmp_path: Path, kind: str, dtype: torch.dtype):
    state = {k: v.to(dtype) for k, v in toy().state_dict().items()}
    file = tmp_path / f"toy.{kind}"
    save_file(state, file) if kind == "safetensors" else torch.save(state, file)
    model = toy()
    load_weights(model, file)
    assert model.fc.weight.dtype == torch.float32
    torch.testing.assert_close(model.fc.weight.detach().to(dtype), state["fc.weight"])


def test_weights_of_another_network_are_refused_with_the_differences(tmp_path: Path):
    state = toy(n_out=7).state_dict()
    state["fc.scale"] = state.pop("fc.bias")
    save_file(state, tmp_path / "other.safetensors")
    message = (
        r"other\.safetensors does not fit Toy: fc\.bias is missing; fc\.scale is unknown; "
        r"fc\.weight is \(7, 6\), not \(10, 6\) \(3 differences\)"
    )
    with pytest.raises(ContractError, match=message):
        load_weights(toy(), tmp_path / "other.safetensors")


@pytest.mark.parametrize("content", [Toy(), {"model": Toy().state_dict()}, [1]])
def test_a_file_of_more_than_tensors_is_refused(tmp_path: Path, content):
    torch.save(content, tmp_path / "all.pth")
    with pytest.raises(BundleError, match=r"all\.pth holds more than tensors.*state_dict\(\)"):
        load_weights(toy(), tmp_path / "all.pth")


def test_weights_are_adapted_to_other_channels(tmp_path: Path):
    state = toy(n_out=1000).state_dict()
    save_file(state, tmp_path / "toy.safetensors")
    weights = tmp_path / "toy.safetensors"
    body = create_body(find_architecture(toy), n_in=1, weights=weights)
    summed = state["features.0.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(body.features[0].weight.detach(), summed)


def test_without_a_pool_a_cut_must_be_given():
    with pytest.raises(ContractError, match=r"no pooling layer.*Pass cut="):
        cut_model(nn.Sequential(nn.Conv2d(3, 4, 3)))
    assert len(cut_model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), 1)) == 1


def test_a_head_of_the_default_shape():
    head = create_head(8, 3)
    sizes = [(m.in_features, m.out_features) for m in head.modules() if isinstance(m, nn.Linear)]
    dropouts = [m.p for m in head.modules() if isinstance(m, nn.Dropout)]
    assert sizes == [(16, 512), (512, 3)]
    assert dropouts == [0.25, 0.5]
    assert sum(isinstance(m, nn.BatchNorm1d) for m in head.modules()) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"lin_ftrs": []},
        {"lin_ftrs": [32, 16], "ps": [0.1, 0.2, 0.3]},
        {"concat_pool": False},
        {"first_bn": False, "bn_final": True, "lin_first": True},
        {"y_range": (0.0, 1.0)},
    ],
)
def test_options_of_a_head(options):
    head = create_head(8, 3, **options)
    out = head(torch.randn(4, 8, 5, 5))
    assert out.shape == (4, 3)
    assert "y_range" not in options or ((out > 0) & (out < 1)).all()


def test_bounded_outputs_start_in_the_middle():
    model = create_vision_model(toy, 2, y_range=(0.0, 4.0))
    torch.testing.assert_close(
        model(torch.randn(8, 3, 16, 16)), torch.full((8, 2), 2.0), atol=0.1, rtol=0.0
    )


def test_an_unknown_option_of_a_head_is_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'lin_ftrs'"):
        create_vision_model("resnet18", 2, lin_ftr=[3])


def test_a_custom_head_is_used_even_when_empty():
    head = nn.Sequential()
    assert create_vision_model("resnet18", 2, custom_head=head).head is head
    with pytest.raises(ContractError, match="custom_head or options of a head, not both"):
        create_vision_model("resnet18", 2, custom_head=head, ps=0.1)


def test_groups_need_a_vision_model():
    with pytest.raises(ContractError, match=r"Linear is no VisionModel. Pass splitter="):
        split_groups(nn.Linear(2, 2))


@pytest.fixture(scope="session")
def mobilenet(samples: Path) -> nn.Module:
    model = ARCHITECTURES["mobilenet_v2"].make()
    load_weights(model, samples / "mobilenet_v2-imagenet.safetensors")
    return model.eval()


def test_the_bundled_weights_are_half_precision_in_the_file_only(samples: Path, mobilenet):
    stored = load_file(samples / "mobilenet_v2-imagenet.safetensors")
    assert {v.dtype for v in stored.values() if v.ndim > 1} == {torch.float16}
    assert {p.dtype for p in mobilenet.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("photo", "label"),
    [
        ("hot_dog", "hotdog"),
        ("cat", "Egyptian cat"),
        ("parrot", "macaw"),
        ("bird", "chickadee"),
        ("dragonfly", "dragonfly"),
    ],
)
def test_the_bundled_weights_name_known_photographs(samples, photos, mobilenet, photo, label):
    vocab = (samples / "imagenet1k_categories.txt").read_text().splitlines()
    im = RandomResizedCrop(224)(PILImage.create(photos / f"{photo}.jpg"))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in imagenet_stats)
    x = (torch.as_tensor(im.to_tensor()).as_subclass(torch.Tensor) / 255 - mean) / std
    with torch.no_grad():
        assert vocab[mobilenet(x[None]).argmax().item()] == label
