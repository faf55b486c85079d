"""What is known about a dataset before it is loaded.

A `Source` is one registry entry: names, fields, license, protocol, published scores. Listing
sources loads nothing, so everything a table footnote needs stands here as plain data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attn_nlp.data.rows import Raw

HELD_OUT_FOLD = "no official test: a fold of StratifiedKFold(10, shuffle, random_state=0) held out"
OFFICIAL = "official split"
CARVED = "10% of train, stratified by class, drawn with split_seed"


@dataclass(frozen=True)
class Published:
    """A score printed in a paper, to stand beside ours with its protocol."""

    model: str
    accuracy: float
    cite: str
    protocol: str


@dataclass(frozen=True)
class Source:
    """One dataset that can be named in an experiment.

    Attributes:
      name: what an experiment writes.
      label: what a table prints.
      language: ISO 639-1 code, or "synthetic".
      hub_id: Hub repository with the same rows, as `owner/name` or `owner/name:config`; None
        where the Hub has none (a subset, or another split), and then only a local copy loads.
      revision: Hub commit; None where it has not been established, so that the Hub's newest
        commit is taken and its sha recorded.
      hub_text, hub_label: column names on the Hub (a local copy has `text` and `label`).
      labels: class names in the order of the ids; empty where the data files name them.
      test_split: the public split that plays test.
      positive: the class whose F1 is the customary metric; "" where there is none.
      validation_rule, test_rule: how the two splits are made, as a sentence for a footnote.
      dedup: drop rows whose normalized text was seen before, ahead of any split.
      license, cite, note: for the table and the reader.
      published: scores printed elsewhere.
      real: texts written by people for other people (False for planted tasks).
      embedded: needs no download.
      whole_words: texts are words set apart by spaces, tokenized as such, none cut or unknown.
      make: builds the rows of an embedded dataset, given a folder for its cache.
    """

    name: str
    label: str
    language: str
    hub_id: str | None = None
    revision: str | None = None
    hub_text: str = "text"
    hub_label: str = "label"
    labels: tuple[str, ...] = ()
    test_split: str = "test"
    positive: str = ""
    validation_rule: str = OFFICIAL
    test_rule: str = OFFICIAL
    dedup: bool = False
    license: str = "not stated"
    cite: str = ""
    note: str = ""
    published: tuple[Published, ...] = ()
    real: bool = True
    embedded: bool = False
    whole_words: bool = False
    make: Callable[[Path], Raw] | None = None

    def facts(self) -> dict[str, Any]:
        """The entry as JSON-able data, without the function that makes its rows."""
        facts = asdict(self)
        del facts["make"]
        return facts
