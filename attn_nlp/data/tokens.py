"""Turn texts into ids, with a tokenizer trained on the train split alone.

Only tokenizers whose training is deterministic to the byte are offered (`tokenizers` numbers
WordPiece pieces in hash order, and Unigram scores vary in the last bits). Id 0 is padding [PAD] and
id 1 is [UNK]; no text can produce either by spelling it. A text without any token becomes one
[UNK].
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attn_nlp.data.pretokenize import PreTokenizer, code_points
from attn_nlp.errors import unknown

SPECIALS = ["[PAD]", "[UNK]"]
PADDING, UNKNOWN = 0, 1
CHARACTERS_PER_TOKEN, LEAST_CHARACTERS = 32, 4096  # of a text that are read

# Pieces for BPE: a Han character, a punctuation mark or symbol, or a run of anything else, each
# with a mark if a space precedes it, so that "re-invent" and "re - invent" differ.
BPE_PIECES = r"▁?(\p{Han}|[\p{P}\p{S}]|[^▁\p{Han}\p{P}\p{S}]+)"


@dataclass(frozen=True)
class Tokenizer:
    """A kind of tokenizer that can be named in an experiment.

    Attributes:
      name, label: its names in an experiment and in a table.
      train: (texts, maximum number of ids) -> a `tokenizers.Tokenizer`.
      cite: the source of the method.
    """

    name: str
    label: str
    train: Callable[[Sequence[str], int], Any]
    cite: str = ""


def library() -> Any:
    """Import the `tokenizers` package, without threads of its own.

    Its threads cause warnings on a later fork, and the runner already keeps every core busy. If the
    user has set the variable, it is left as it is.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    return tokenizers


def without_specials(tokenizer: Any) -> Any:
    """Return the tokenizer with [PAD] and [UNK] as plain vocabulary, which no text can spell."""
    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = []
    return library().Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))


def lower(han: bool) -> Any:
    """Return a normalizer: lower case, no control characters; `han` separates Han characters."""
    return library().normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=han, strip_accents=False, lowercase=True
    )


def word_level(normalizer: Any, pre_tokenizer: Any, texts: Sequence[str], most: int) -> Any:
    """Train on the most frequent pieces of the texts; ties are in alphabetical order."""
    counts = PreTokenizer(normalizer, pre_tokenizer).counts(texts)
    ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
    vocabulary = {piece: number for number, piece in enumerate([*SPECIALS, *ranked][:most])}
    t = library()
    tokenizer = t.Tokenizer(t.models.WordLevel(vocabulary, unk_token=SPECIALS[UNKNOWN]))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


def word(texts: Sequence[str], most: int) -> Any:
    """Train on lower-cased words and single punctuation marks; Han text by character."""
    return word_level(lower(han=True), library().pre_tokenizers.BertPreTokenizer(), texts, most)


def char(texts: Sequence[str], most: int) -> Any:
    """Train on lower-cased characters, including spaces."""
    return word_level(lower(han=False), library().pre_tokenizers.Split("", "isolated"), texts, most)


def whitespace(texts: Sequence[str], most: int) -> Any:
    """Train on words separated by spaces, for planted tasks."""
    return word_level(None, library().pre_tokenizers.WhitespaceSplit(), texts, most)


def bpe(texts: Sequence[str], most: int) -> Any:
    """Train byte-pair encoding within words: pieces are merged in the order of their frequency.

    At most half of the ids are single characters; rarer characters are left out of training and
    read as [UNK]. The library would choose among equally rare ones in hash order.

    References:
      Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016. The
      start of a word is marked here (as "▁"), theirs marks its end.
    """
    t = library()
    tokenizer = t.Tokenizer(t.models.BPE(unk_token=SPECIALS[UNKNOWN]))
    tokenizer.normalizer = lower(han=False)
    tokenizer.pre_tokenizer = t.pre_tokenizers.Sequence(
        [
            t.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False),
            t.pre_tokenizers.Split(t.Regex(BPE_PIECES), "isolated"),
        ]
    )
    pretokenizer = PreTokenizer(tokenizer.normalizer, tokenizer.pre_tokenizer)
    texts = list(pretokenizer.normalized(texts))
    codes, counts = np.unique(code_points(texts), return_counts=True)
    ranked = codes[np.lexsort((codes, -counts))].tolist()
    rare = dict.fromkeys(ranked[most // 2 :], " ")
    if rare:
        texts = [text.translate(rare) for text in texts]
    pieces = pretokenizer.counts(texts)
    trained = t.Tokenizer(tokenizer.model)
    trained.pre_tokenizer = t.pre_tokenizers.WhitespaceSplit()  # no piece contains white space
    trainer = t.trainers.BpeTrainer(vocab_size=most, special_tokens=SPECIALS, show_progress=False)
    trained.train_from_iterator(_repeated(pieces), trainer)
    tokenizer.model = trained.model
    return without_specials(tokenizer)


def _repeated(pieces: Mapping[str, int]) -> Iterator[str]:
    """Yield texts that contain each piece as often as counted.

    Pieces of a single character are yielded once, since there is nothing to merge.
    """
    for piece, count in pieces.items():
        left = count if len(piece) > 1 else 1
        while left:
            some = min(left, 1000)
            left -= some
            yield f"{piece} " * some


TOKENIZERS: dict[str, Tokenizer] = {
    t.name: t
    for t in (
        Tokenizer("word", "words", word),
        Tokenizer("char", "characters", char),
        Tokenizer("bpe", "byte pairs", bpe, cite="Sennrich et al., 2016"),
    )
}


def check_tokens(name: str) -> None:
    """Reject a tokenizer that is not registered.

    Example:
      >>> check_tokens("wrod")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      attn_nlp.errors.UserError: unknown tokens 'wrod'; known: ... Did you mean 'word'?
    """
    if name not in TOKENIZERS:
        raise unknown("tokens", name, TOKENIZERS)


def tokenizer_hash(tokenizer: Any) -> str:
    """Return the SHA-256 of the tokenizer's JSON."""
    return hashlib.sha256(tokenizer.to_str().encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Encoded:
    """Ids of many texts, and what was lost.

    Attributes:
      ids: (N, T) int32, padded with 0 to the longest row.
      lengths: (N,) int32, from 1 to the requested length.
      full_lengths: (N,) int64, number of tokens before truncation.
      unknown: (N,) int64, number of [UNK] among the kept tokens, 0 for an empty text.
      cut: (N,) bool, True if the text was truncated.
    """

    ids: np.ndarray
    lengths: np.ndarray
    full_lengths: np.ndarray
    unknown: np.ndarray
    cut: np.ndarray


def encode(tokenizer: Any, texts: Sequence[str], length: int) -> Encoded:
    """Return the first ids of every text, at most `length`.

    Only the first max(4096, 32 length) characters of a text are read, so a line of a million tokens
    costs no more than a long paragraph.

    Args:
      tokenizer: trained by one of `TOKENIZERS`.
      texts: any strings; one without tokens becomes a single [UNK].
      length: maximum number of kept tokens, 1 or more.
    """
    most = max(LEAST_CHARACTERS, CHARACTERS_PER_TOKEN * length)
    stripped = [text.strip() for text in texts]
    chunks = list(ids_of(tokenizer, [text[:most] for text in stripped], length))
    full_lengths = np.concatenate([full for _, full in chunks] or [np.zeros(0, np.int64)])
    lengths = np.minimum(full_lengths, length)
    longest = max(1, int(lengths.max(initial=1)))
    filled = np.arange(longest) < lengths[:, None]
    table = np.full((len(texts), longest), PADDING, dtype=np.int32)
    table[filled] = np.concatenate([ids for ids, _ in chunks] or [np.zeros(0, np.int32)])
    unknown_ids = ((table == UNKNOWN) & filled).sum(axis=1)
    table[lengths == 0, 0] = UNKNOWN
    return Encoded(
        table,
        np.maximum(lengths, 1).astype(np.int32),
        full_lengths,
        unknown_ids,
        (full_lengths > length) | np.array([len(text) > most for text in stripped], bool),
    )


def ids_of(
    tokenizer: Any, texts: Sequence[str], length: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Encode all texts, in chunks of texts; each distinct piece is encoded once.

    Yields:
      The first `length` ids of each text, one text after another, and the total number of ids of
      each text.
    """
    pretokenizer, model = (
        PreTokenizer(tokenizer.normalizer, tokenizer.pre_tokenizer),
        tokenizer.model,
    )
    known: list[int] = []  # ids of the pieces, in the order of their numbers
    sizes: list[int] = []
    for numbers, pieces in pretokenizer.cut(texts):
        for piece in pretokenizer.pieces[len(sizes) :]:
            ids_of_piece = [token.id for token in model.tokenize(piece)]
            known += ids_of_piece
            sizes.append(len(ids_of_piece))
        size = np.array(sizes, np.int64)
        of_piece = size[numbers]
        text_of_piece = np.repeat(np.arange(len(pieces)), pieces)
        full = np.bincount(text_of_piece, of_piece, len(pieces)).astype(np.int64)
        # The index of every id within its piece; below, within its text.
        within = _ranges(of_piece)
        ids = np.array(known, np.int32)[
            np.repeat((np.cumsum(size) - size)[numbers], of_piece) + within
        ]
        yield ids[_ranges(full) < length], full


def _ranges(counts: np.ndarray) -> np.ndarray:
    """Return 0, 1, ..., starting again for each count.

    Example:
      >>> _ranges(np.array([2, 0, 3])).tolist()
      [0, 1, 0, 1, 2]
    """
    begins = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) - np.repeat(begins, counts)
