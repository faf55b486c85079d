"""Processor seconds to tokenize 100,000 sentences, next to the library's own encoding.

    python -m benchmarks.tokenizing                                     docstrings, no download
    python -m benchmarks.tokenizing --dataset sst2 --dataset chnsenticorp --out bench

For every dataset and tokenizer: learning the vocabulary from the train split, encoding all splits,
the same encoding by `encode_batch_fast` of the library once the ids are known to agree, and
preparing the whole dataset a second time. One thread; medians of rounds, with the least and the
largest. A smaller dataset is scaled to 100,000 sentences, which overstates what is paid once:
splitting each character and encoding each distinct pre-token for the first time, and joining byte
pairs.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from attn_nlp.data import TOKENIZERS, DataSettings, prepare_dataset
from attn_nlp.data.loading import load
from attn_nlp.data.pretokenize import CHUNK
from attn_nlp.data.rows import check
from attn_nlp.data.tokens import encode
from benchmarks.processes import heed_termination
from benchmarks.reports import Report, shown, spread

SENTENCES = 100_000
VOCABULARY, LENGTH = 8000, 128


def seconds(call: Callable[[], Any], rounds: int) -> tuple[list[float], Any]:
    """Return least, median and largest processor seconds of a call, and its last result."""
    taken, found = [], None
    for _ in range(rounds):
        began = time.process_time()
        found = call()
        taken.append(time.process_time() - began)
    return spread(taken), found


def by_library(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Return the first ids of every text as the library encodes them."""
    return [
        encoding.ids[:LENGTH]
        for start in range(0, len(texts), CHUNK)
        for encoding in tokenizer.encode_batch_fast(
            texts[start : start + CHUNK], add_special_tokens=False
        )
    ]


def measured(dataset: str, folder: Path, rounds: int) -> list[dict]:
    """Measure each tokenizer on a dataset."""
    rows, _ = check(load(dataset, folder))
    train = rows["train"].texts
    texts = [text for split in rows.values() for text in split.texts]
    lines = []
    for name, tokenizer in TOKENIZERS.items():
        train_seconds, tokenizer = seconds(lambda t=tokenizer: t.train(train, VOCABULARY), rounds)
        ours, found = seconds(lambda t=tokenizer: encode(t, texts, LENGTH), rounds)
        theirs, expected = seconds(lambda t=tokenizer: by_library(t, texts), rounds)
        for row, ids in zip(found.ids, expected, strict=True):
            assert row[: len(ids)].tolist() == ids or not ids, "other ids than the library's"
        settings = DataSettings(dataset, tokens=name, vocabulary=VOCABULARY, length=LENGTH)
        prepare_dataset(settings, folder)
        again, _ = seconds(lambda s=settings: prepare_dataset(s, folder), rounds)
        scale = SENTENCES / len(texts)
        lines.append(
            {
                "dataset": dataset,
                "tokens": name,
                "sentences": len(texts),
                "train": [value * SENTENCES / len(train) for value in train_seconds],
                "encode": [value * scale for value in ours],
                "library_encode": [value * scale for value in theirs],
                "prepared_before": again,
            }
        )
    return lines


@click.command()
@click.option("--dataset", "datasets", multiple=True, default=["docstrings"], show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where JSON goes.")
def main(datasets: tuple[str, ...], rounds: int, out: Path | None) -> None:
    """Print how long it takes to turn texts into ids."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    heed_termination()
    report = Report("tokenizing", {"datasets": list(datasets), "rounds": rounds}, out)
    lines: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        for dataset in datasets:
            lines += measured(dataset, Path(folder), rounds)
            report.write(lines, markdown(lines))
    report.end(lines, markdown(lines))


def markdown(lines: list[dict]) -> str:
    """Write a line for every dataset and tokenizer."""
    text = [
        "| processor seconds for 100,000 | sentences | learn | encode | library | known before |",
        "|---|---|---|---|---|---|",
    ]
    for line in lines:
        columns = (line[name] for name in ("train", "encode", "library_encode", "prepared_before"))
        cells = " | ".join(f"{shown(column)} s" for column in columns)
        text.append(f"| {line['dataset']}, {line['tokens']} | {line['sentences']:,} | {cells} |")
    text += ["", "`known before`: the whole dataset, as many sentences as it has, prepared again."]
    return "\n".join(text)


if __name__ == "__main__":
    main()
