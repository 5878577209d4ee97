"""Readers of texts: dropouts, state, padding and neighbours, and what stands on them."""

import copy

import pytest
import torch
from torch import nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.text.models.awd_lstm import AWD_LSTM
from lamina.text.models.build import get_language_model, get_text_classifier, reader_of
from lamina.text.models.dropout import EmbeddingDropout, RNNDropout, WeightDropLSTM, WeightDropout
from lamina.text.models.heads import SentenceEncoder, SequentialRNN, masked_concat_pool

SMALL = {"emb_sz": 8, "n_hid": 12, "n_layers": 2}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(1)


def classifier(arch="AWD_LSTM", **options):
    return get_text_classifier(arch, 40, 3, 5, config=SMALL, **options).eval()


def words(*lengths):
    width = max(lengths)
    rows = torch.ones(len(lengths), width, dtype=torch.long)
    for row, n in zip(rows, lengths, strict=True):
        row[:n] = torch.arange(n) % 30 + 5
    return rows


def test_without_dropout_a_layer_is_an_lstm():
    layer = WeightDropLSTM(4, 6, 0.5).eval()
    plain = nn.LSTM(4, 6, batch_first=True)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 7, 4)

    assert torch.equal(layer(x)[0], plain(x)[0])


def test_in_training_only_recurrent_weights_are_dropped():
    layer = WeightDropLSTM(4, 6, 0.999999)
    no_memory = copy.deepcopy(layer)
    nn.init.zeros_(no_memory.weight_hh_l0)
    x = torch.randn(2, 7, 4)

    assert torch.allclose(layer(x)[0], no_memory.eval()(x)[0])


def test_gradients_reach_the_recurrent_weights_that_stay():
    layer = WeightDropLSTM(4, 6, 0.5)
    layer(torch.randn(2, 7, 4))[0].sum().backward()
    share = (layer.weight_hh_l0.grad != 0).float().mean()

    assert 0.3 < share < 0.7


RECURRENT = {
    "lstm": lambda **o: nn.LSTM(4, 6, 2, **o),
    "projected": lambda **o: nn.LSTM(4, 6, 2, proj_size=3, **o),
    "gru": lambda **o: nn.GRU(4, 6, 2, bidirectional=True, **o),
    "plain": lambda **o: nn.RNN(4, 6, 2, bias=False, nonlinearity="relu", **o),
}


def flat(answer):
    out, state = answer
    return [out, *state] if isinstance(state, tuple) else [out, state]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", RECURRENT)
def test_only_the_named_weights_of_a_recurrent_module_are_dropped(kind, batch_first):
    names = ["weight_hh_l0", "weight_ih_l1"]
    layer = WeightDropout(RECURRENT[kind](batch_first=batch_first), 0.999999, names)
    without = copy.deepcopy(layer.module)
    for name in names:
        nn.init.zeros_(without.get_parameter(name))
    x = torch.randn(2, 7, 4)

    for found, expected in zip(flat(layer(x)), flat(without(x)), strict=True):
        assert torch.allclose(found, expected, atol=1e-6)
    assert torch.equal(layer.eval()(x)[0], layer.module(x)[0])


def test_a_recurrent_module_takes_its_state():
    layer = WeightDropout(nn.GRU(4, 6, batch_first=True), 0.5, "bias_hh_l0")
    nn.init.zeros_(layer.module.bias_hh_l0)  # so that nothing is there to be dropped
    x = torch.randn(2, 7, 4)
    _, state = layer(x[:, :3])

    assert torch.allclose(layer(x[:, 3:], state)[0], layer(x)[0][:, 3:], atol=1e-6)


def test_weights_of_any_module_are_dropped():
    layer = WeightDropout(nn.Linear(50, 40), 0.5, "weight")
    layer(torch.ones(1, 50)).sum().backward()
    share = (layer.module.weight.grad != 0).float().mean()

    assert 0.4 < share < 0.6
    assert (layer.module.bias.grad == 1).all()
    assert list(layer.state_dict()) == ["module.weight", "module.bias"]


@pytest.mark.parametrize("module", [nn.LSTM(4, 6), nn.Linear(4, 6)])
def test_a_module_with_dropped_weights_compiles(module):
    name = "weight" if isinstance(module, nn.Linear) else "weight_hh_l0"
    layer = WeightDropout(module, 0.5, name)
    compiled, x = torch.compile(layer, backend="eager"), torch.randn(3, 2, 4)
    out = compiled(x)
    (out[0] if isinstance(out, tuple) else out).sum().backward()

    assert (module.get_parameter(name).grad == 0).any()
    copy.deepcopy(layer)


def test_weights_that_are_not_there_and_packed_texts_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'weight_hh_l0'"):
        WeightDropout(nn.LSTM(4, 6), 0.5, "weight_hh_10")
    packed = nn.utils.rnn.pack_sequence([torch.randn(3, 4)])
    with pytest.raises(ContractError, match="Pad packed texts, and put one text alone"):
        WeightDropout(nn.LSTM(4, 6), 0.5)(packed)


def test_words_are_dropped_everywhere_in_a_batch():
    out = EmbeddingDropout(nn.Embedding(50, 3), 0.5)(torch.tensor([[7] * 9, [8] * 9]))

    assert all(len(row.unique(dim=0)) == 1 for row in out)


def test_dropout_over_time_keeps_the_mean():
    out = RNNDropout(0.4)(torch.ones(2000, 2, 5))

    assert out.mean().item() == pytest.approx(1, abs=0.05)


def test_the_state_is_kept_between_calls_until_reset():
    model = AWD_LSTM(40, **SMALL).eval()
    x = words(12)
    whole = model(x)
    model.reset()
    parts = torch.cat([model(part) for part in x.split(4, dim=1)], dim=1)

    assert torch.allclose(parts, whole, atol=1e-6)
    assert not torch.allclose(model(x), whole, atol=1e-3)


def test_another_batch_size_begins_anew():
    model = AWD_LSTM(40, **SMALL).eval()
    first = model(words(6, 6))
    model(words(6, 6, 6))

    assert torch.allclose(model(words(6, 6)), first)


@pytest.mark.parametrize("arch", ["AWD_LSTM", "AWD_QRNN"])
@pytest.mark.parametrize("neighbour", [1, 9, 10, 11, 33])
def test_neighbours_and_padding_change_no_prediction(arch, neighbour):
    model = classifier(arch, max_len=15)
    for length in (1, 4, 5, 6, 18, 40):
        alone = model(words(length))
        beside = model(words(length, neighbour))[:1]
        assert torch.allclose(alone, beside, atol=1e-6)


@pytest.mark.parametrize(
    "build", [get_language_model, lambda *a: get_text_classifier(*a[:2], 2, 5, a[2])]
)
def test_readers_of_both_ways_are_refused_where_they_would_cheat(build):
    with pytest.raises(ContractError, match=r"without bidir=True\. Train one .* ensemble_preds"):
        build("AWD_LSTM", 40, {**SMALL, "bidir": True})


@pytest.mark.parametrize("odd", [{"bptt": 0}, {"bptt": 5, "max_len": 0}])
def test_steps_have_at_least_a_word(odd):
    with pytest.raises(ContractError, match=r"Give 1 or more"):
        SentenceEncoder(module=AWD_LSTM(40, **SMALL), **odd)


@pytest.mark.filterwarnings("ignore:.*(non-leaf|should not be instantiated)")  # PyTorch's own
@pytest.mark.parametrize("arch", ["AWD_LSTM", "AWD_QRNN"])
def test_a_compiled_model_reads_and_drops_the_same(arch):
    model = get_language_model(arch, 40, SMALL)
    compiled = torch.compile(model, backend="eager")
    outs = []
    for run in (model, compiled):
        torch.manual_seed(0)
        model.reset()
        outs.append(torch.stack([run(words(6, 6)), run(words(6, 6))]))
    outs[1].sum().backward()

    assert torch.equal(outs[0], outs[1])
    assert all(p.grad is not None for p in model.parameters())


def test_padding_in_front_and_behind_are_the_same():
    model = classifier()
    behind = words(4, 11)
    front = behind.clone()
    front[0] = torch.cat([behind[0, 4:], behind[0, :4]])

    assert torch.allclose(model(front), model(behind), atol=1e-6)


def test_only_the_last_words_have_gradient_and_are_pooled():
    encoder = SentenceEncoder(5, AWD_LSTM(40, **SMALL).eval(), max_len=5)
    x = words(15)
    x[0, :10] = 39
    out, mask = encoder(x)
    out[~mask].sum().backward()

    assert (~mask).sum() == 5
    assert (encoder.module.encoder.weight.grad[39] == 0).all()


def test_a_text_without_words_is_all_zeros():
    pooled = masked_concat_pool(torch.randn(1, 3, 2), torch.ones(1, 3, dtype=torch.bool))

    assert (pooled == 0).all()


def test_tied_weights_are_one_tensor_and_counted_once():
    model = get_language_model("AWD_LSTM", 40, SMALL)
    names = [name for name, _ in model.named_parameters()]

    assert model.decoder.decoder.weight is model.encoder.encoder.weight
    assert "decoder.decoder.weight" not in names


def test_a_trained_model_can_be_copied():
    model = get_language_model("AWD_LSTM", 40, SMALL)
    model(words(6)).sum().backward()
    model.reset()

    assert copy.deepcopy(model).activations == (None, None, None)


def test_a_chain_is_the_model_of_its_parts():
    model, classify = get_language_model("AWD_LSTM", 40, SMALL).eval(), classifier()
    pairs = [
        (model, SequentialRNN(model.encoder, model.decoder)),
        (classify, SequentialRNN(classify.encoder, classify.head)),
    ]
    for whole, chain in pairs:
        whole.reset()
        expected = whole(words(6, 9))
        chain.eval().reset()
        assert torch.equal(chain(words(6, 9)), expected)
        assert reader_of(chain) is reader_of(whole)


def test_a_chain_tells_what_is_regularised_and_forgets_it():
    model = get_language_model("AWD_LSTM", 40, SMALL)
    chain = SequentialRNN(model.encoder, model.decoder)
    chain(words(6))
    raw, dropped, mask = chain.activations

    assert raw is model.encoder.raw
    assert dropped is model.decoder.dropped
    assert mask is None
    chain.reset()
    assert chain.activations[0] is None
    assert model.encoder.states == []
