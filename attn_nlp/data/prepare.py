"""Prepare a dataset: from its name to a folder that is ready to train on.

A prepared folder is named after a hash of everything that decided its content: the fingerprint of
the rows, the settings, the provenance, and the code of this package. It is written whole or not at
all (see `files.atomic`), and of two concurrent writers the slower one uses the folder of the faster
one. A folder that is damaged all the same is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from attn_nlp.data import cache, tokens
from attn_nlp.data.batches import bucket_edges
from attn_nlp.data.dataset import (
    ARRAYS,
    FACTS,
    TEXTS,
    TOKENIZER,
    DataSettings,
    Prepared,
    open_prepared,
)
from attn_nlp.data.digests import note_sums
from attn_nlp.data.files import code_stamp, write_columns
from attn_nlp.data.labels import alike
from attn_nlp.data.loading import data_path, files_of, load
from attn_nlp.data.profile import repeat_counts, split_counts
from attn_nlp.data.registry import SOURCES, local_path
from attn_nlp.data.rows import SPLITS, Raw, Rows, check, fingerprint
from attn_nlp.data.source import Source
from attn_nlp.data.source_bytes import FACT, source_digest
from attn_nlp.data.splits import three_splits
from attn_nlp.errors import UserError
from attn_nlp.fault_injection import point
from attn_nlp.files import atomic

FEWEST_IDS = 3  # padding, unknown and one token
_TRIES, _SECONDS = 20, 0.05  # for reading a folder back while other processes write it too


def check_settings(settings: DataSettings) -> None:
    """Reject settings with which no dataset can be prepared."""
    tokens.check_tokens(settings.tokens)
    least_of = {"split_seed": 0, "fold": 0, "vocabulary": FEWEST_IDS, "length": 1}
    for name, least in least_of.items():
        value = getattr(settings, name)
        if value < least:
            raise UserError(f"{name} {value} is too small; choose {least} or more.")


def prepare_dataset(settings: DataSettings, folder: Path) -> Prepared:
    """Load a dataset, check it, split it, and turn it into ids; or open it if it is prepared.

    Args:
      settings: the settings that decide the data.
      folder: where prepared datasets are kept; created if needed.

    Returns:
      The dataset, opened from a folder of its own within `folder`. Equal rows and settings always
      give the same folder and bytes.

    Raises:
      UserError: the dataset is not available or cannot be used, a setting does not fit it, or
        `folder` cannot be written.
    """
    check_settings(settings)
    try:
        return prepare_in(settings, Path(folder))
    except OSError as error:
        raise UserError(
            f"cannot prepare {settings.dataset!r} in {folder}: {error.strerror or error}; "
            "free some disk space or choose another folder."
        ) from error


def prepare_in(settings: DataSettings, folder: Path) -> Prepared:
    """Prepare a dataset like `prepare_dataset`, but raise `OSError` if the disk fails."""
    folder.mkdir(parents=True, exist_ok=True)
    source, path = SOURCES.get(settings.dataset), data_path(settings.dataset)
    if path is None and not (source and source.embedded):
        return prepare_rows(settings, folder)  # the Hub may have a newer version
    files = [file for given in files_of(path).values() for file in given] if path else []
    made = source.make if source and source.embedded else None
    foreign = made is not None and made.__module__.partition(".")[0] != "attn_nlp"
    # Rows that are made by others' code are made again: the note cannot tell whether it changed.
    question = None if foreign else cache.asked(settings, files)
    if question and (target := cache.recall(folder, question)):
        with suppress(UserError):  # damaged: made again below
            return open_prepared(target)
    prepared = prepare_rows(settings, folder)
    if question and question == cache.asked(settings, files):  # they did not change meanwhile
        cache.note(folder, question, prepared.path)
    return prepared


def prepare_rows(settings: DataSettings, folder: Path) -> Prepared:
    """Read the rows, and open or write the folder that belongs to them."""
    raw = load(settings.dataset, folder)
    source = SOURCES.get(settings.dataset) or Source(shown_name(settings.dataset), "", "")
    given, class_names = check(raw)
    if settings.fold and "test" in given:
        raise UserError(
            f"dataset {source.name!r} has a test split of its own, so fold {settings.fold} does "
            "not apply; leave fold at 0."
        )
    splits, rules, dropped = three_splits(given, settings.split_seed, source.dedup, settings.fold)
    if source.embedded:
        rules = {"validation": source.validation_rule, "test": source.test_rule}
    identity = fingerprint(splits, class_names)
    provenance = provenance_of(source, raw, rules, settings) | {"dropped_duplicates": dropped}
    stamp = json.dumps([identity, provenance, code_stamp()], sort_keys=True)
    readable = "".join(c if c.isalnum() else "_" for c in source.name)[:40]
    target = folder / f"{readable}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    with suppress(UserError):  # missing or damaged; the rows are at hand
        return open_prepared(target)
    arrays, kept, tokenizer = build(settings, source, raw, splits, class_names)
    kept |= {"name": source.name, "fingerprint": identity, "folder": target.name}
    kept["facts"] |= provenance
    with atomic.unfinished(target) as unfinished:
        unfinished.mkdir(mode=0o700)  # texts may be private
        write(unfinished, arrays, kept, tokenizer, splits)
        return put(unfinished, target)


def shown_name(dataset: str) -> str:
    """Return the name of a dataset as it is shown: of a local path, only its last part."""
    path = local_path(dataset)
    return dataset if path is None else Path(os.path.abspath(path)).name


def provenance_of(
    source: Source, raw: Raw, rules: dict[str, str], settings: DataSettings
) -> dict[str, Any]:
    """Return the origin and the rules of the rows, for the facts and the name of the folder."""
    digest = source_digest(settings.dataset)
    return {
        "label": source.label or source.name,
        "language": source.language or None,
        "positive": source.positive or None,
        "license": source.license,
        "cite": source.cite,
        "note": source.note,
        "source": raw.origin,
        "versions": raw.versions,
        "validation_rule": rules["validation"],
        "test_rule": rules["test"],
        "embedded": source.embedded,
        "real": source.real,
        "settings": asdict(settings) | {"dataset": source.name},
        **({"ignored_columns": list(raw.ignored)} if raw.ignored else {}),
        **({FACT: digest} if digest else {}),
    }


def build(
    settings: DataSettings,
    source: Source,
    raw: Raw,
    splits: dict[str, Rows],
    class_names: tuple[str, ...],
) -> tuple[dict[str, np.ndarray], dict[str, Any], Any]:
    """Return the arrays, the metadata and the tokenizer of a dataset with these rows."""
    train = splits["train"].texts
    if source.whole_words:
        tokenizer = whole_words(settings, source.name, splits)
    else:
        tokenizer = tokens.TOKENIZERS[settings.tokens].train(train, settings.vocabulary)
    encoded = tokens.encode(
        tokenizer, [text for split in SPLITS for text in splits[split].texts], settings.length
    )
    labels = [label for split in SPLITS for label in splits[split].labels]
    arrays = {
        "ids": encoded.ids,
        "lengths": encoded.lengths,
        "labels": np.array(labels, dtype=np.int32),
    }
    ranges, counts, start = {}, {}, 0
    for split in SPLITS:
        ranges[split] = (start, start + len(splits[split]))
        counts[split] = split_counts(splits[split], len(class_names), encoded, start)
        start += len(splits[split])
    if raw.deciding is not None:
        deciding = np.zeros(encoded.ids.shape, dtype=bool)
        positions = [row for split in SPLITS for row in raw.deciding[split]]
        for row, columns in enumerate(positions):
            deciding[row, list(columns)] = True
        arrays["deciding"] = deciding
    longest = int(encoded.lengths.max())
    kept = {
        "tokenizer_hash": tokens.tokenizer_hash(tokenizer),
        "class_names": list(class_names),
        "vocabulary": tokenizer.get_vocab_size(),
        "edges": list(bucket_edges(encoded.lengths[: len(train)], longest)),
        "splits": ranges,
        "facts": {
            "class_names": list(class_names),
            "splits": counts,
            **repeat_counts(splits),
            **({"look_alike_labels": same} if (same := alike(class_names)) else {}),
        },
    }
    return arrays, kept, tokenizer


def whole_words(settings: DataSettings, name: str, splits: dict[str, Rows]) -> Any:
    """Return the tokenizer of a planted task, by which no word is cut or unknown.

    Raises:
      UserError: the settings would hide deciding words.
    """
    default = DataSettings.tokens
    if settings.tokens != default:
        raise UserError(
            f"dataset {name!r} is made of whole words, so tokens {settings.tokens!r} does not "
            f"apply; leave tokens at {default!r}."
        )
    texts = [text for split in SPLITS for text in splits[split].texts]
    words = [text.split() for text in texts]
    longest = max(map(len, words))
    if settings.length < longest:
        raise UserError(
            f"length {settings.length} would cut words that decide the label of {name!r}; "
            f"choose {longest} or more."
        )
    needed = len({w for row in words for w in row}) + len(tokens.SPECIALS)
    if settings.vocabulary < needed:
        raise UserError(
            f"vocabulary {settings.vocabulary} is too small for {name!r}, whose words must all "
            f"be known; choose {needed} or more."
        )
    return tokens.whitespace(texts, needed)


def write(
    folder: Path,
    arrays: dict[str, np.ndarray],
    kept: dict[str, Any],
    tokenizer: Any,
    splits: dict[str, Rows],
) -> None:
    """Write all files of a prepared dataset into a folder, and sync it."""
    with point("data.write"):
        np.savez(folder / ARRAYS, allow_pickle=False, **arrays)
    (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
    texts = [text for split in SPLITS for text in splits[split].texts]
    write_columns(folder / TEXTS, {"text": texts})
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")
    note_sums(folder)
    with point("data.fsync"):
        atomic.sync(folder)


def put(unfinished: Path, target: Path) -> Prepared:
    """Give a finished folder its name, unless another writer was first, and open that folder.

    Raises:
      OSError: the disk is full or broken.
      UserError: the folder cannot be read back.
    """
    for _ in range(_TRIES):
        with point("data.rename"):
            try:
                os.replace(unfinished, target)
            except OSError:
                if unfinished.exists() and not target.exists():
                    raise
        atomic.sync_names(target.parent)
        try:
            return open_prepared(target)
        except UserError:
            if unfinished.exists():
                _clear(target)
            else:
                time.sleep(_SECONDS)  # another process is checking it, and will put it back
    return open_prepared(target)


def _clear(target: Path) -> None:
    """Move a damaged folder away, in one step, so that its name is free at once.

    If another process has meanwhile put an intact one there, that one is put back.
    """
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".damaged-"))
    with suppress(FileNotFoundError):  # another run was first
        os.rename(target, aside / target.name)
        with suppress(UserError, OSError):
            open_prepared(aside / target.name)
            os.rename(aside / target.name, target)
    shutil.rmtree(aside, ignore_errors=True)
