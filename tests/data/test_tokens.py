"""Tokenizers: what becomes of texts, and that training repeats itself to the byte."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import pytest

from attn_nlp.data import TOKENIZERS, check_tokens
from attn_nlp.data.tokens import UNKNOWN, encode, library, tokenizer_hash
from attn_nlp.errors import UserError

ENGLISH = ["The cat sat on the mat.", "A dog, a cat; no mat!", "THE end (re-invented)"]
CHINESE = ["我爱北京天安门", "这个酒店不错，NLP模型很好。", "房间太小"]

TRAINING = """
import random, sys
from attn_nlp.data.tokens import TOKENIZERS, tokenizer_hash
rng = random.Random(0)
texts = [" ".join(rng.choice("甲乙丙丁abcdefghij") * rng.randint(1, 3) for _ in range(9))
         for _ in range(400)]
random.Random(int(sys.argv[1])).shuffle(texts)
print([tokenizer_hash(TOKENIZERS[name].train(texts, 60)) for name in ("word", "char", "bpe")])
"""


def pieces(name: str, texts: list[str], text: str, most: int = 500) -> list[str]:
    """The tokens of one text under a tokenizer trained on others."""
    tokenizer = TOKENIZERS[name].train(texts, most)
    encoded = encode(tokenizer, [text], 100)
    return [tokenizer.id_to_token(int(i)) for i in encoded.ids[0][: encoded.lengths[0]]]


def test_words_are_lower_case_and_punctuation_stands_alone():
    assert pieces("word", ENGLISH, "the CAT, re-invented") == [
        "the",
        "cat",
        ",",
        "re",
        "-",
        "invented",
    ]
    assert pieces("word", ENGLISH, "the zebra") == ["the", "[UNK]"]


@pytest.mark.parametrize("name", ["word", "char"])
def test_chinese_is_split_by_character(name):
    assert pieces(name, CHINESE, "我爱酒店") == ["我", "爱", "酒", "店"]


def test_latin_words_within_chinese_stay_whole():
    assert pieces("word", CHINESE, "很好NLP，我") == ["很", "好", "nlp", "，", "我"]


def test_characters_include_the_space():
    assert pieces("char", ENGLISH, "A cat") == ["a", " ", "c", "a", "t"]


def test_byte_pairs_join_within_words_only():
    texts = ["low lower lowest", "new newer newest"] * 20
    assert pieces("bpe", texts, "lower new") == ["▁lower", "▁new"]
    assert pieces("bpe", texts, "slow") == ["▁", "s", "lo", "w"]
    assert pieces("bpe", CHINESE * 20, "我爱酒店")[-3:] == ["爱", "酒", "店"]


def test_the_vocabulary_is_by_frequency_then_alphabet_and_no_larger_than_asked():
    tokenizer = TOKENIZERS["word"].train(["b a c", "c b", "d a", "e"], 6)
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    assert [word for word, _ in by_id] == ["[PAD]", "[UNK]", "a", "b", "c", "d"]
    for name in TOKENIZERS:
        tokenizer = TOKENIZERS[name].train([*ENGLISH, *CHINESE], 12)
        assert tokenizer.get_vocab_size() <= 12


def test_training_repeats_itself_in_other_processes_and_in_any_order():
    answers = set()
    for shuffle, hash_seed in (("0", "1"), ("0", "2"), ("7", "3")):
        done = subprocess.run(
            [sys.executable, "-c", TRAINING, shuffle],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1


def test_another_corpus_is_another_hash():
    train = TOKENIZERS["word"].train
    assert tokenizer_hash(train(["a b"], 10)) != tokenizer_hash(train(["a c"], 10))


def test_a_text_without_tokens_is_one_unknown():
    tokenizer = TOKENIZERS["word"].train(ENGLISH, 100)
    encoded = encode(tokenizer, ["", " \t", "\x07", "cat"], 5)
    assert encoded.lengths.tolist() == [1, 1, 1, 1]
    assert encoded.ids[:3, 0].tolist() == [UNKNOWN] * 3
    assert encoded.full_lengths.tolist() == [0, 0, 0, 1]
    assert encoded.unknown.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_no_text_can_spell_padding(name):
    texts = ["[PAD] [UNK] pad unk", "[PAD]"]
    tokenizer = TOKENIZERS[name].train(texts, 100)
    encoded = encode(tokenizer, texts, 50)
    inside = np.arange(encoded.ids.shape[1]) < encoded.lengths[:, None]
    assert (encoded.ids[inside] > 1).all()
    assert (encoded.ids[~inside] == 0).all()


def test_long_texts_are_cut_and_counted():
    tokenizer = TOKENIZERS["word"].train(["a b"], 10)
    encoded = encode(tokenizer, ["a b a", "a b", "a " * 1_000_000], 2)
    assert encoded.ids.tolist() == [[2, 3], [2, 3], [2, 2]]
    assert encoded.cut.tolist() == [True, False, True]
    assert encoded.full_lengths.tolist() == [3, 2, 2048]  # of the 4,096 characters read


def test_encoding_does_not_depend_on_neighbors():
    tokenizer = TOKENIZERS["word"].train(ENGLISH, 100)
    texts = ENGLISH * 3
    random.Random(0).shuffle(texts)
    together = encode(tokenizer, texts, 9)
    for row, text in enumerate(texts):
        alone = encode(tokenizer, [text], 9)
        n = alone.lengths[0]
        assert together.ids[row][:n].tolist() == alone.ids[0].tolist()


def test_an_unknown_tokenizer_is_named():
    for name in TOKENIZERS:
        check_tokens(name)
    with pytest.raises(UserError, match=r"unknown tokens 'chars'; known: bpe, char, word. Did you"):
        check_tokens("chars")


def test_threads_are_off_unless_asked_for(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    library()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
    monkeypatch.delenv("TOKENIZERS_PARALLELISM")
    library()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
