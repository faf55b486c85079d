"""Warnings of stored results that today's data or today's code would not give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attn_nlp import wording

if TYPE_CHECKING:
    from attn_nlp.experiment.planned import Settings
    from attn_nlp.store.records import Records


def warn_of_data(cells: Mapping[str, Settings], records: Mapping[str, Mapping]) -> list[str]:
    """Warn of local datasets that are not what stored cells were trained on.

    Args:
      cells: settings by spec.
      records: by spec, with "data".

    Returns:
      The sentences, for whatever shows the results.
    """
    from attn_nlp.data.source_bytes import changed

    said = changed(
        (str(cells[spec]["dataset"]), each.get("data")) for spec, each in records.items()
    )
    for sentence in said:
        wording.warn(sentence)
    return said


def warn_of_code(records: Records, *, warned: bool = False) -> list[str]:
    """The same of cells that other code of the package computed.

    Args:
      records: with "status" and "provenance".
      warned: whether the user has been warned already.
    """
    from attn_nlp.runner.other_code import of_records

    found = of_records(records)
    if found.changed and not warned:
        wording.warn(found.sentences[0])
    return found.notes
