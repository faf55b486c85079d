"""Warnings of stored results that the current data or code would not reproduce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attn_nlp import wording
from attn_nlp.result.record import Record

if TYPE_CHECKING:
    from attn_nlp.experiment.planned import Settings
    from attn_nlp.store.records import Records


def warn_of_data(cells: Mapping[str, Settings], records: Mapping[str, Record]) -> list[str]:
    """Warn of local datasets that have changed since cells were trained on them.

    Args:
      cells: settings by spec.
      records: by spec, with "data".

    Returns:
      The sentences, to be shown with the results.
    """
    from attn_nlp.data.source_bytes import changed

    said = changed(
        (str(cells[spec]["dataset"]), record.get("data")) for spec, record in records.items()
    )
    for sentence in said:
        wording.warn(sentence)
    return said


def warn_of_code(records: Records, *, warned: bool = False) -> list[str]:
    """Warn of cells that another version of the package computed.

    Args:
      records: with "status" and "provenance".
      warned: whether the user has been warned already.

    Returns:
      The sentences, to be shown with the results.
    """
    from attn_nlp.runner.other_code import of_records

    found = of_records(records)
    if found.changed and not warned:
        wording.warn(found.sentences[0])
    return found.notes
