"""Pieces are those of the library, whatever is in a text; so are the vocabularies made of them."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_nlp.data import tokens
from attn_nlp.data.loading import load
from attn_nlp.data.pretokenize import CHUNK, PreTokenizer
from attn_nlp.data.tokens import BPE_PIECES, SPECIALS, TOKENIZERS, encode, library, lower

# Case that grows, ligatures, accents, joiners, spaces and controls of all kinds, Han in and out of
# the basic plane, Kana, Hangul, Thai, the mark of a space itself, signs and emoji of two parts.
ODD = "aZß\u0130\u01c5\ufb01Σς\u0301éñ\u200b\u200d\ufeff \t\n\r\x0b\x1c\x85\xa0\u2028\u3000\x00"
ODD += "\x07\ufffd\u00ad"
ODD += (
    "我爱。，！㐀𠀀々〆かカ한ไท▁_-–'’.,!$+<=^`|~€№½²Ⅻ\U0001f600\U0001f1e9\U0001f3fd\U000e0041\ue000"
)
texts = st.lists(
    st.one_of(
        st.text(st.sampled_from(ODD), max_size=12),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.lists(st.sampled_from(["The", "cat,", "re-used", "我爱", "İs", "▁x"]), max_size=6).map(
            " ".join
        ),
    ),
    max_size=6,
)


def parts(name: str):
    """Normalizer and pre-tokenizer of a tokenizer."""
    t = library()
    tokenizer = {**{n: each.train for n, each in TOKENIZERS.items()}, "space": tokens.whitespace}[
        name
    ](["a b"], 9)
    return t, tokenizer.normalizer, tokenizer.pre_tokenizer


def trained_by_library(name: str, texts: list[str], most: int):
    """The same tokenizer, trained as the library does by itself."""
    t, normalizer, pre_tokenizer = parts(name)
    options = {"vocab_size": most, "special_tokens": SPECIALS, "show_progress": False}
    if name == "bpe":
        tokenizer = t.Tokenizer(t.models.BPE(unk_token="[UNK]"))
        texts = [normalizer.normalize_str(text) for text in texts]
        counts = Counter("".join(texts))
        rare = sorted(counts, key=lambda c: (-counts[c], c))[most // 2 :]
        texts = [text.translate(dict.fromkeys(map(ord, rare), " ")) for text in texts]
        trainer = t.trainers.BpeTrainer(**options)
    else:
        tokenizer = t.Tokenizer(t.models.WordLevel(unk_token="[UNK]"))
        trainer = t.trainers.WordLevelTrainer(**options)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(texts, trainer)
    return tokens.without_specials(tokenizer)


def by_library(tokenizer, texts: list[str]) -> list[list[int]]:
    return [each.ids for each in tokenizer.encode_batch(texts, add_special_tokens=False)]


def ours(tokenizer, texts: list[str]) -> list[list[int]]:
    found = encode(tokenizer, texts, 10_000)
    return [
        row[:length].tolist() if full else []
        for row, length, full in zip(found.ids, found.lengths, found.full_lengths, strict=True)
    ]


@pytest.mark.parametrize("name", [*TOKENIZERS, "space"])
def test_every_character_is_cut_as_the_library_cuts_it(name):
    """Between letters, at both ends, beside itself, and among spaces."""
    _, normalizer, pre_tokenizer = parts(name)
    pretokenizer = PreTokenizer(normalizer, pre_tokenizer)
    for letter in ODD:
        for text in ("a{}b", "{}", "{}a", "a{}", "{0}{0}", "a {} b", " {}", "{} ", "我{0}，{0}."):
            text = text.format(letter)
            [(numbers, counts)] = pretokenizer.cut([text])
            assert [pretokenizer.pieces[n] for n in numbers] == pretokenizer.by_library(text), repr(
                text
            )
            assert counts.tolist() == [len(numbers)]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(corpus=texts, others=texts, most=st.integers(3, 40))
def test_training_and_ids_are_those_of_the_library(name, corpus, others, most):
    mine, theirs = TOKENIZERS[name].train(corpus, most), trained_by_library(name, corpus, most)
    assert mine.to_str() == theirs.to_str()
    stripped = [text.strip() for text in corpus + others]
    assert ours(mine, corpus + others) == by_library(theirs, stripped)


@given(texts=texts)
def test_the_normalizer_is_that_of_the_library(texts):
    for han in (False, True):
        normalizer = lower(han)
        pre_tokenizer = library().pre_tokenizers.BertPreTokenizer()
        found = list(PreTokenizer(normalizer, pre_tokenizer).normalized(texts))
        assert found == [normalizer.normalize_str(text) for text in texts]


def test_texts_are_cut_in_chunks_and_counted_over_all():
    texts = [f"a {n % 7} b{n % 3}" for n in range(CHUNK + 5)]
    pretokenizer = PreTokenizer(lower(han=True), library().pre_tokenizers.BertPreTokenizer())
    chunks = list(pretokenizer.cut(texts))
    assert [len(counts) for _, counts in chunks] == [CHUNK, 5]
    expected = Counter(piece for text in texts for piece in text.split())
    assert pretokenizer.counts(texts) == expected
    assert pretokenizer.counts([]) == {}
    assert list(pretokenizer.cut([])) == []


def test_the_cut_falls_within_a_piece_of_several_ids():
    tokenizer = TOKENIZERS["bpe"].train(["low lower lowest"] * 9, 12)
    everything = by_library(tokenizer, ["slow lowest"])[0]
    assert len(everything) > 5
    for length in range(1, len(everything) + 2):
        found = encode(tokenizer, ["slow lowest", "w"], length)
        assert found.ids[0].tolist() == everything[:length]
        assert found.full_lengths[0] == len(everything)


def test_bpe_pieces_hold_no_white_space():
    """Its trainer is fed pieces between spaces."""
    _, normalizer, pre_tokenizer = parts("bpe")
    pretokenizer = PreTokenizer(normalizer, pre_tokenizer)
    everything = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000]
    pretokenizer.counts([f"a{letter}b" for letter in everything])
    assert BPE_PIECES.startswith("▁?")
    assert all(len(piece.split()) == 1 == len(piece.splitlines()) for piece in pretokenizer.pieces)


@pytest.mark.parametrize("dataset", ["sst2", "chnsenticorp", "mr"])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_real_sentences(name, dataset, tmp_path):
    home = os.environ.get("ATTN_NLP_DATA", "")
    if not Path(home, dataset).is_dir():
        pytest.skip(f"no {dataset} in ATTN_NLP_DATA")
    texts = [str(text) for text in load(dataset, tmp_path).columns["train"][0][:1500]]
    mine, theirs = TOKENIZERS[name].train(texts, 2000), trained_by_library(name, texts, 2000)
    assert mine.to_str() == theirs.to_str()
    found = encode(mine, texts, 64)
    expected = by_library(theirs, [text.strip() for text in texts])
    assert found.full_lengths.tolist() == list(map(len, expected))
    filled = np.arange(found.ids.shape[1]) < np.minimum(found.full_lengths, 64)[:, None]
    assert found.ids[filled].tolist() == [i for ids in expected for i in ids[:64]]
