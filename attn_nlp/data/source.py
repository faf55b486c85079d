"""Describe a dataset before it is loaded.

A `Source` is one registry entry: names, fields, license, protocol, published scores. Listing
sources loads nothing, so everything that a footnote of a table needs is plain data here.
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
    """A score published in a paper, to be shown next to new ones with its protocol."""

    model: str
    accuracy: float
    cite: str
    protocol: str


@dataclass(frozen=True)
class Source:
    """A dataset that can be named in an experiment.

    Attributes:
      name: the name in an experiment.
      label: the name in a table.
      language: ISO 639-1 code, or "synthetic".
      hub_id: Hub repository with the same rows, as `owner/name` or `owner/name:config`, or None
        if there is none (only a subset, or another split); then only a local copy can be loaded.
      revision: Hub commit, or None to use the latest commit and record its sha.
      hub_text, hub_label: column names on the Hub (a local copy has `text` and `label`).
      labels: class names in the order of the ids; empty if the data files name them.
      test_split: the public split that is used as test.
      positive: the class whose F1 is the customary metric, or "".
      validation_rule, test_rule: how the two splits are made, as a sentence for a footnote.
      dedup: whether to drop rows whose normalized text occurred before, ahead of any splitting.
      license, cite, note: shown to readers of tables.
      published: scores published elsewhere.
      real: whether the texts were written by people for other people (False for planted tasks).
      embedded: whether no download is needed.
      whole_words: whether texts are words separated by spaces, to be tokenized as such.
      make: makes the rows of an embedded dataset, given a folder for its cache.
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
        """Return the entry as JSON values, without the function that makes its rows."""
        facts = asdict(self)
        del facts["make"]
        return facts
