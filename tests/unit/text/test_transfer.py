"""Published weights: found, read as data only, and handed on by word."""

import pickle
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
import torch
from torch import nn

from lamina.foundation.errors import BundleError, ContractError, DownloadError, UntrustedError
from lamina.text.learner import language_model_learner, text_classifier_learner
from lamina.text.loaders import TextDataLoaders
from lamina.text.models.build import get_language_model
from lamina.text.models.dropout import WeightDropout
from lamina.text.models.transfer import (
    clean_raw_keys,
    load_ignore_keys,
    read_published,
    read_words,
)
from lamina.text.vocab import text_vocab

SMALL = {"emb_sz": 6, "n_hid": 10, "n_layers": 3}
WORDS = ["xxunk", "xxpad", "xxbos", "cat", "dog", "the", "sat"]


def published(seed):
    """The weights of a language model in the names of the published files."""
    torch.manual_seed(seed)
    model = get_language_model("AWD_LSTM", len(WORDS), SMALL)
    state = {
        "0.encoder.weight": model.encoder.encoder.weight,
        "0.encoder_dp.emb.weight": model.encoder.encoder.weight,
        "1.decoder.weight": model.decoder.decoder.weight,
        "1.decoder.bias": model.decoder.decoder.bias.data.normal_(),
    }
    for i, rnn in enumerate(model.encoder.rnns):
        for name, value in rnn.named_parameters():
            state[f"0.rnns.{i}.module.{name}"] = value.detach()
        state[f"0.rnns.{i}.weight_hh_l0_raw"] = rnn.weight_hh_l0.detach()
        state[f"0.rnns.{i}.module.weight_hh_l0"] = rnn.weight_hh_l0.detach() * 0
    return model, {name: value.detach() for name, value in state.items()}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server in place of all others, with the published archives of both directions."""
    folder = tmp_path / "server"
    place = folder / "fast-ai-modelzoo"
    place.mkdir(parents=True)
    for seed, name in enumerate(("wt103-fwd", "wt103-bwd")):
        (files := tmp_path / name).mkdir()
        torch.save(published(seed)[1], files / "lstm.pth", _use_new_zipfile_serialization=False)
        (files / "itos.pkl").write_bytes(pickle.dumps(WORDS, protocol=2))
        with tarfile.open(place / f"{name}.tgz", "w:gz") as tar:
            tar.add(files, name)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("LAMINA_MIRRORS", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def loaders(tmp_path, **options):
    table = pd.DataFrame({"text": ["the cat sat", "the dog ran"] * 30, "label": ["a", "b"] * 30})
    return TextDataLoaders.from_df(
        table, tmp_path, text_col="text", label_col="label", min_freq=1, bs=4, seq_len=4, seed=1,
        device="cpu", **options,
    )  # fmt: skip


def test_a_language_model_starts_from_published_weights(server, tmp_path):
    dls = loaders(tmp_path, is_lm=True)
    learn = language_model_learner(dls, config=SMALL)
    model, _ = published(0)
    ours, cat = text_vocab(dls), text_vocab(dls).index("cat")
    vectors, ran = learn.model.encoder.encoder.weight, ours.index("ran")

    assert torch.equal(vectors[cat], model.encoder.encoder.weight[3])
    assert torch.allclose(vectors[ran], model.encoder.encoder.weight.mean(0))
    assert learn.model.decoder.decoder.bias[cat] != 0
    assert torch.equal(learn.model.encoder.rnns[2].weight_hh_l0, model.encoder.rnns[2].weight_hh_l0)
    assert learn.opt.frozen_idx == 3


def test_backwards_loaders_get_the_other_weights(server, tmp_path):
    learn = text_classifier_learner(loaders(tmp_path, backwards=True), config=SMALL)
    reader = learn.model.encoder.module

    assert torch.equal(reader.rnns[0].weight_ih_l0, published(1)[0].encoder.rnns[0].weight_ih_l0)


def test_other_sizes_are_told(server, tmp_path):
    with pytest.raises(ContractError, match="pass pretrained=False to start afresh"):
        language_model_learner(loaders(tmp_path, is_lm=True), config={**SMALL, "n_hid": 12})


def test_files_of_ones_own(tmp_path):
    (tmp_path / "models").mkdir()
    torch.save({"model": published(3)[1]}, tmp_path / "models" / "mine.pth")
    (tmp_path / "models" / "words.pkl").write_bytes(pickle.dumps(WORDS))
    dls = loaders(tmp_path)
    learn = text_classifier_learner(dls, config=SMALL, pretrained_fnames=("mine", "words"))
    weight = learn.model.encoder.module.encoder.weight

    assert torch.equal(
        weight[text_vocab(dls).index("dog")], published(3)[0].encoder.encoder.weight[4]
    )


def test_without_a_connection_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMINA_OFFLINE", "1")
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path))
    with pytest.raises(DownloadError, match=r"wt103-fwd\.tgz"):
        language_model_learner(loaders(tmp_path, is_lm=True))


def test_a_reader_without_published_weights(tmp_path):
    with pytest.raises(ContractError, match="No weights are published for AWD_QRNN"):
        language_model_learner(loaders(tmp_path, is_lm=True), "AWD_QRNN")


class Evil:
    def __reduce__(self):
        return print, ("this must not be seen",)


def test_a_vocabulary_cannot_run_code(tmp_path, capsys):
    file = tmp_path / "words.pkl"
    file.write_bytes(pickle.dumps(["a", Evil()]))

    with pytest.raises(UntrustedError, match="builtins:print"):
        read_words(file)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps({"a": 1}), pickle.dumps([1])])
def test_damaged_vocabularies_are_refused(content, tmp_path):
    file = tmp_path / "words.pkl"
    file.write_bytes(content)

    with pytest.raises(BundleError, match="read_words"):
        read_words(file)


def test_other_weights_are_refused(tmp_path):
    torch.save({"weight": torch.ones(1)}, tmp_path / "other.pth")
    (tmp_path / "broken.pth").write_bytes(b"nothing")

    with pytest.raises(BundleError, match="holds no AWD-LSTM"):
        read_published(tmp_path / "other.pth")
    with pytest.raises(BundleError, match="holds no weights"):
        read_published(tmp_path / "broken.pth")


def test_weights_of_dropped_layers_load_without_their_copies():
    layer = WeightDropout(nn.LSTM(2, 3), 0.5)
    own = layer.state_dict()
    theirs = {**own, "module.weight_hh_l0": torch.zeros(12, 3)}
    theirs["weight_hh_l0_raw"] = torch.ones(12, 3)
    layer.load_state_dict(clean_raw_keys(theirs))

    assert (layer.module.weight_hh_l0 == 1).all()
    assert set(clean_raw_keys(own)) == set(own)


def test_weights_load_by_their_order():
    first, again = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), nn.Sequential()
    again.body = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    load_ignore_keys(again, first.state_dict())

    assert torch.equal(again.body[0].weight, first[0].weight)


def test_weights_in_another_order_are_refused():
    layer = nn.Linear(2, 3)
    with pytest.raises(ContractError, match=r"nothing of shape .* the model has bias of shape"):
        load_ignore_keys(layer, {"a": torch.zeros(3, 2)})
    with pytest.raises(ContractError, match=r"b of shape \(3,\) .* as many weights as it has, in"):
        load_ignore_keys(layer, {"b": torch.zeros(3), "a": torch.zeros(3, 2)})
