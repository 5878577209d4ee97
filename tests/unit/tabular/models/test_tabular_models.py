"""The networks for rows, against the formulas of their papers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lamina.foundation.errors import ContractError, UnknownArgumentError, UnknownNameError
from lamina.tabular.models.embedding_mlp import (
    TabularModel,
    emb_sz_rule,
    get_emb_sz,
    tabular_config,
)
from lamina.tabular.models.ft_transformer import FTTransformer
from lamina.tabular.models.numeric import Periodic, PiecewiseLinear, number_encoding
from lamina.tabular.models.tabm import EachMember, TabM
from lamina.train.callback import Callback
from lamina.train.learner import Learner

EMB_SZS = [(3, 2), (60, 5)]
CONTS = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
CATS = torch.stack([torch.arange(100) % 3, torch.arange(100) % 60], 1)
PIECES = PiecewiseLinear(n_bins=5, width=6).fit(CONTS)


def models(out_sz=2):
    tiny_ft = {"width": 16, "n_blocks": 2, "n_heads": 4}
    return {
        "mlp": TabularModel(EMB_SZS, 4, out_sz, [16, 8], ps=0.1, embed_p=0.1),
        "mlp periodic": TabularModel(EMB_SZS, 4, out_sz, [16], numbers=Periodic(8)),
        "ft": FTTransformer(EMB_SZS, 4, out_sz, **tiny_ft),
        "ft pieces": FTTransformer(EMB_SZS, 4, out_sz, numbers=PIECES, **tiny_ft),
        "tabm": TabM(EMB_SZS, 4, out_sz, layers=[16, 8], k=3),
        "tabm pieces": TabM(EMB_SZS, 4, out_sz, layers=[16], k=3, numbers=PIECES),
    }


@pytest.mark.parametrize("name", models())
def test_every_weight_of_a_model_learns(name):
    model = models()[name]
    model(CATS, CONTS).square().sum().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    # A norm layer takes biases before it away again, so that those may have no gradient.
    assert [n for n in silent if "bias" not in n] == []


@pytest.mark.parametrize("name", models())
def test_an_exported_model_gives_the_same_answers(name):
    model = models()[name].eval()
    rows = torch.export.Dim("rows", min=2)
    exported = torch.export.export(
        model, (CATS, CONTS), dynamic_shapes={"x_cat": {0: rows}, "x_cont": {0: rows}}
    ).module()
    torch.testing.assert_close(exported(CATS[:7], CONTS[:7]), model(CATS[:7], CONTS[:7]))


@pytest.mark.parametrize("kind", ["mlp", "ft", "tabm"])
@pytest.mark.parametrize("only", ["cats", "conts"])
def test_columns_of_one_kind_are_enough(kind, only):
    sizes, n_cont = (EMB_SZS, 0) if only == "cats" else ([], 4)
    cats, conts = (CATS, CONTS[:, :0]) if only == "cats" else (CATS[:, :0], CONTS)
    options = {"mlp": {"layers": [8]}, "ft": {"width": 16}, "tabm": {"layers": [8], "k": 2}}[kind]
    make = {"mlp": TabularModel, "ft": FTTransformer, "tabm": TabM}[kind]
    assert make(sizes, n_cont, 3, **options).eval()(cats, conts).shape == (100, 3)


@pytest.mark.parametrize("kind", ["mlp", "ft", "tabm"])
def test_outputs_stay_inside_y_range(kind):
    options = {"mlp": {"layers": [8]}, "ft": {"width": 16}, "tabm": {"combine": "mean", "k": 2}}
    make = {"mlp": TabularModel, "ft": FTTransformer, "tabm": TabM}[kind]
    out = make(EMB_SZS, 4, 1, y_range=(1, 2), **options[kind]).eval()(CATS, 100 * CONTS)
    assert out.min() >= 1
    assert out.max() <= 2


def test_the_mlp_is_embeddings_beside_normed_numbers_then_blocks():
    model = TabularModel(EMB_SZS, 4, 2, [16]).eval()
    linear, relu, norm = model.layers[0]
    parts = [emb(CATS[:, i]) for i, emb in enumerate(model.embeds)]
    features = torch.cat([*parts, model.bn_cont(CONTS)], 1)
    expected = model.layers[1](norm(relu(linear(features))))
    torch.testing.assert_close(model(CATS, CONTS), expected)


def test_the_embedding_rule():
    assert [emb_sz_rule(n) for n in (2, 3, 17, 100, 10**9)] == [2, 3, 8, 21, 600]


def test_an_unknown_column_in_sz_dict_is_refused():
    data = type("Data", (), {"cat_names": ["sex"], "classes": {"sex": ["#na#", "f"]}})
    with pytest.raises(UnknownNameError, match="Did you mean 'sex'"):
        get_emb_sz(data, {"sx": 3})


def test_a_misspelt_option_of_the_configuration_is_refused():
    with pytest.raises(UnknownArgumentError, match="Did you mean 'embed_p'"):
        tabular_config(embedp=0.1)


def test_dropout_must_fit_the_layers():
    with pytest.raises(ContractError, match="2 dropout probabilities in ps for 1 hidden layers"):
        TabularModel([], 4, 1, [8], ps=[0.1, 0.2])


def test_weights_have_the_names_of_fastai():
    names = TabularModel([(3, 2)], 1, 2, [4]).state_dict()
    assert {"embeds.0.weight", "bn_cont.running_mean", "layers.0.0.weight", "layers.1.0.bias"} <= {
        *names
    }


def test_attention_is_that_of_pytorch():
    block = FTTransformer([], 4, 1, width=16, n_blocks=1, n_heads=4).blocks[0].eval()
    attention = nn.MultiheadAttention(16, 4, batch_first=True)
    attention.in_proj_weight = nn.Parameter(torch.cat([block.query.weight, block.key_value.weight]))
    attention.in_proj_bias = nn.Parameter(torch.cat([block.query.bias, block.key_value.bias]))
    attention.out_proj = block.out
    x = torch.randn(3, 5, 16)
    torch.testing.assert_close(block._attend(x, x), attention(x, x, x)[0])


def test_heads_must_divide_the_width():
    with pytest.raises(ContractError, match="width 10 is not a multiple of 4 heads"):
        FTTransformer([], 4, 1, width=10, n_heads=4)


def test_tabm_is_its_members_one_by_one():
    model = TabM(EMB_SZS, 4, 2, layers=[16, 8], k=3, p=0.0)
    x = model.features(CATS, CONTS)
    for i in range(3):
        out = x
        for layer in model.layers:
            own = layer.weight * layer.scale_out[i][:, None] * layer.scale_in[i]
            out = F.linear(out, own, layer.bias[i]).relu()
        out = out @ model.heads.weight[i] + model.heads.bias[i]
        torch.testing.assert_close(model(CATS, CONTS)[:, i], out)


def test_members_differ_by_one_random_sign_per_column():
    scales = TabM([(3, 2)], 1, 1, layers=[4], k=8).layers[0].scale_in
    assert set(scales.unique().tolist()) == {-1.0, 1.0}
    assert (scales[:, 1:] == scales[:, 1:2]).all()


@pytest.mark.parametrize(
    ("combine", "activate"),
    [
        ("softmax", lambda x: x.softmax(-1)),
        ("sigmoid", torch.sigmoid),
        ("mean", lambda x: x),
    ],
)
def test_the_answer_of_tabm_is_the_mean_of_what_members_say(combine, activate):
    model = TabM(EMB_SZS, 4, 3, layers=[8], k=4, p=0.0, combine=combine)
    members = activate(model(CATS, CONTS)).mean(1)
    torch.testing.assert_close(activate(model.eval()(CATS, CONTS)), members)


def test_every_member_has_a_loss_of_its_own():
    model, batch = TabM(EMB_SZS, 4, 2, layers=[8], k=3, p=0.0), (CATS, CONTS, CATS[:, 0] % 2)
    dls = ([batch], [batch])
    learn = Learner(dls, model, F.cross_entropy, cbs=EachMember(), default_cbs=False, lr=0.0)
    members = [F.cross_entropy(out, batch[-1]) for out in model(CATS, CONTS).unbind(1)]
    seen = []
    with learn.added_cbs(Callback(after_loss=lambda learn: seen.append(learn.loss))):
        learn.fit(1)
    torch.testing.assert_close(seen[0], torch.stack(members).mean())


def test_piecewise_linear_encoding_by_its_formula():
    layer = PIECES.layer(4)
    edges = np.array(PIECES.edges[2])
    for x in (edges[0] - 1, *edges, edges[2] + 0.01, edges[-1] + 2):
        filled = (x - edges[:-1]) / np.diff(edges)
        expected = np.clip(filled, [-np.inf, 0, 0, 0, 0], [1, 1, 1, 1, np.inf])
        row = torch.full((1, 4), float(x))
        np.testing.assert_allclose(layer.encode(row)[0, 2].numpy(), expected, atol=1e-5)


def test_edges_are_quantiles_and_few_values_give_few_bins():
    conts = torch.stack([torch.arange(101.0), torch.arange(101) % 2, torch.ones(101)], 1)
    fitted = PiecewiseLinear(n_bins=4).fit(conts)
    assert fitted.edges == ((0.0, 25.0, 50.0, 75.0, 100.0), (0.0, 1.0), (1.0, 2.0))
    assert fitted.layer(3).encode(conts).isfinite().all()


def test_bins_that_one_value_would_fill_alone_go_to_the_others():
    column = torch.cat([torch.zeros(90), torch.arange(1.0, 11)])[:, None]
    (edges,) = PiecewiseLinear(n_bins=10).fit(column).edges
    assert edges == pytest.approx((0, *np.linspace(1, 10, 10)))


def test_pieces_need_edges():
    with pytest.raises(ContractError, match=r"edges for 0 columns.*Call fit\(conts\)"):
        PiecewiseLinear().layer(2)


def test_periodic_embedding_by_its_formula():
    layer = Periodic(n_frequencies=3, width=5).layer(2)
    angle = 2 * np.pi * layer.frequencies[1] * CONTS[:, 1:2]
    features = torch.cat([angle.cos(), angle.sin()], 1)
    expected = (features @ layer.linear.weight[1] + layer.linear.bias[1]).relu()
    torch.testing.assert_close(layer(CONTS[:, :2])[:, 1], expected)


def test_an_unknown_encoding_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'periodic'"):
        number_encoding("perodic", CONTS)
