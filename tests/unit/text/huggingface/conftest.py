"""Tiny models with random weights, and their tokenizers, in folders as `transformers` has them."""

import json

import pandas as pd
import pytest
import torch

transformers = pytest.importorskip("transformers")

GOOD, BAD = ("good", "fine", "lovely"), ("bad", "awful", "dull")
LENGTH = 64


@pytest.fixture(scope="session")
def reviews():
    rows = [
        (
            f"this is a {word} {thing} , {'very' if i % 2 else 'so'} {word}" + " indeed" * (i % 3),
            label,
        )
        for i in range(4)
        for label, words in (("pos", GOOD), ("neg", BAD))
        for word in words
        for thing in ("film", "book")
    ]
    return pd.DataFrame(rows, columns=["text", "label"])


def wordpiece(texts):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer, tok.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tok.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=150, special_tokens=special, show_progress=False
    ))  # fmt: skip
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    from tokenizers.decoders import WordPiece

    tok.decoder = WordPiece()
    names = ("pad", "unk", "cls", "sep", "mask")
    roles = {f"{name}_token": token for name, token in zip(names, special, strict=True)}
    return tok, {**roles, "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}


def byte_pairs(texts, special, **roles):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    ))  # fmt: skip
    return tok, roles


def gpt2_tokenizer(texts):
    end = "<|endoftext|>"
    return byte_pairs(texts, [end], eos_token=end, bos_token=end, unk_token=end)


def llama_tokenizer(texts):
    from tokenizers import processors

    tok, roles = byte_pairs(
        texts, ["<s>", "</s>", "<pad>"], bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        padding_side="left",
    )  # fmt: skip
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)]
    )
    return tok, roles


def config_of(kind, n):
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 48, "max_position_embeddings": LENGTH}  # fmt: skip
    return {
        "bert": lambda: transformers.BertConfig(vocab_size=n, **small),
        "distilbert": lambda: transformers.DistilBertConfig(
            vocab_size=n, dim=32, n_layers=2, n_heads=2, hidden_dim=48,
            max_position_embeddings=LENGTH,
        ),
        "modernbert": lambda: transformers.ModernBertConfig(
            vocab_size=n, pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2,
            eos_token_id=3, local_attention=8, **small,
        ),
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=n, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
            eos_token_id=0,
        ),
        "llama": lambda: transformers.LlamaConfig(
            vocab_size=n, num_key_value_heads=1, bos_token_id=0, eos_token_id=1, pad_token_id=2,
            **small,
        ),
    }[kind]()  # fmt: skip


TOKENIZERS = {"bert": wordpiece, "distilbert": wordpiece, "modernbert": wordpiece,
              "gpt2": gpt2_tokenizer, "llama": llama_tokenizer}  # fmt: skip


@pytest.fixture(scope="session")
def models(reviews, tmp_path_factory):
    """Return a function from a kind of model to its folder."""
    made = {}

    def folder_of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            tok, roles = TOKENIZERS[kind](reviews.text)
            tokenizer = transformers.PreTrainedTokenizerFast(
                tokenizer_object=tok, model_max_length=LENGTH, **roles
            )
            tokenizer.save_pretrained(folder)
            config = config_of(kind, tok.get_vocab_size())
            torch.manual_seed(0)
            causal = kind in ("gpt2", "llama")
            cls = transformers.AutoModelForCausalLM if causal else transformers.AutoModelForMaskedLM
            cls.from_config(config).save_pretrained(folder)
            assert json.loads((folder / "config.json").read_text())["model_type"] == kind
            made[kind] = folder
        return made[kind]

    return folder_of
