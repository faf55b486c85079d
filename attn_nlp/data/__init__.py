"""From datasets to token ids: the stage before any attention.

    prepared = prepare_dataset(DataSettings("planted_lookup"), folder)
    rows, bucket = training_plan(lengths, prepared.edges, batch_size=32, steps=1_500, seed=0)

Given the name of a dataset, this package produces `Prepared` arrays, batch plans, and the facts
that a table prints. Importing it and checking names of datasets loads no library except NumPy.
"""

from attn_nlp.data.batches import (
    bucket_edges,
    evaluation_edges,
    evaluation_plan,
    training_plan,
)
from attn_nlp.data.cache import kept_lengths, kept_texts
from attn_nlp.data.dataset import DataSettings, Prepared, open_prepared
from attn_nlp.data.prepare import prepare_dataset, shown_name
from attn_nlp.data.registry import SOURCES, check_dataset, sources
from attn_nlp.data.source import Published, Source
from attn_nlp.data.tokens import TOKENIZERS, Tokenizer, check_tokens

__all__ = [
    "SOURCES",
    "TOKENIZERS",
    "DataSettings",
    "Prepared",
    "Published",
    "Source",
    "Tokenizer",
    "bucket_edges",
    "check_dataset",
    "check_tokens",
    "evaluation_edges",
    "evaluation_plan",
    "kept_lengths",
    "kept_texts",
    "open_prepared",
    "prepare_dataset",
    "shown_name",
    "sources",
    "training_plan",
]
