"""Models of `transformers` by themselves: what they are given, and what a file may make of them."""

import sys

import pytest
import torch

from lamina.foundation.errors import (
    BundleError,
    ContractError,
    MissingExtraError,
    UnknownArgumentError,
)
from lamina.text.huggingface.model import (
    Layout,
    PretrainedModel,
    build_pretrained,
    config_data,
    load_pretrained_model,
)
from lamina.text.huggingface.tokenizer import PretrainedTokenizer

BERT = {
    "model_type": "bert", "vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 16,
}  # fmt: skip


def test_only_the_run_at_one_end_is_padding():
    x = torch.tensor([[0, 5, 0, 6, 0, 0], [5, 6, 7, 8, 9, 0], [0, 0, 0, 0, 0, 0]])

    assert Layout(0).mask(x).tolist() == [
        [1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 0, 0, 0, 0, 0],
    ]
    assert Layout(0, pad_first=True).mask(x[:1]).tolist() == [[0, 1, 1, 1, 1, 1]]
    assert Layout(0, is_padded=False).mask(x).all()


def test_positions_begin_after_padding_at_the_front():
    model = build_pretrained("classifier", BERT, Layout(0, pad_first=True))

    made = model.inputs(torch.tensor([[0, 0, 5, 6]]))

    assert made["position_ids"].tolist() == [[0, 0, 0, 1]]


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_text_without_tokens_is_answered_alike_alone_and_beside_others(kind):
    small = {"n_embd": 16, "n_head": 2, "n_layer": 1, "vocab_size": 30, "pad_token_id": 0}
    config = BERT if kind == "bert" else {"model_type": "gpt2", **small}
    model = build_pretrained("classifier", config, Layout(0)).eval()

    alone = model(torch.zeros(1, 0, dtype=torch.long))
    assert torch.allclose(alone, model(torch.tensor([[5, 6, 7], [0, 0, 0]]))[1:], atol=1e-6)


def test_parts_of_a_text_have_types():
    model = build_pretrained("classifier", BERT, Layout(0, sep_idx=3))

    made = model.inputs(torch.tensor([[2, 5, 3, 6, 7, 3, 0]]))

    assert made["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1, 0]]


def test_models_are_built_of_their_data():
    first = build_pretrained("masked", BERT)
    again = build_pretrained("masked", config_data(first))
    again.load_state_dict(first.state_dict())
    x = torch.tensor([[2, 5, 3]])

    assert isinstance(again, PretrainedModel)
    assert again.eval()(x).equal(first.eval()(x))


def test_what_would_fetch_code_is_left_out():
    evil = {
        **BERT,
        "attn_implementation": "somebody/kernel",
        "_attn_implementation": "somebody/kernel",
        "_attn_implementation_internal": "somebody/kernel",
        "auto_map": {"AutoModelForSequenceClassification": "evil.Model"},
        "quantization_config": {"quant_method": "bitsandbytes"},
        "anything": "else",
    }

    model = build_pretrained("classifier", evil)

    assert type(model.bare).__module__ == "transformers.models.bert.modeling_bert"
    assert model.bare.config._attn_implementation in ("sdpa", "eager")
    assert not hasattr(model.bare.config, "auto_map")
    assert not hasattr(model.bare.config, "anything")


def test_unknown_models_and_settings_are_refused():
    with pytest.raises(BundleError, match="a classifier model of type 'novel'"):
        build_pretrained("classifier", {"model_type": "novel"})
    with pytest.raises(UnknownArgumentError, match="megatron_core"):
        build_pretrained("classifier", BERT, lora={"megatron_core": "os"})


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'lamina\[text-hf\]'"):
        PretrainedTokenizer.from_pretrained("any")


def test_a_decoder_that_does_not_know_how_to_begin_is_refused(tmp_path):
    small = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    transformers = pytest.importorskip("transformers")
    transformers.T5Config(vocab_size=30, **small).save_pretrained(tmp_path)
    with pytest.raises(ContractError, match=r"T5Config: .* config=\{\.\.\.\}, or take a family of"):
        load_pretrained_model(tmp_path, "classifier", Layout(), {}, pretrained=False)
    begun = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 3}
    model = load_pretrained_model(tmp_path, "classifier", Layout(), begun, pretrained=False)
    again = build_pretrained("classifier", config_data(model), Layout())

    assert again(torch.tensor([[5, 6, 3]])).shape == (1, 2)
