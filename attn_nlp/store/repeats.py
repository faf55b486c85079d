"""Check a second record of a cell against the stored one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from attn_nlp.experiment.identity import canonical_json
from attn_nlp.store.file import StoreError
from attn_nlp.store.schema import FINAL
from attn_nlp.store.tolerance import RESULT, contradiction


def check_repeats(before: Mapping, given: Mapping) -> None:
    """Reject a record of a stored cell that is of other data or another result.

    Args:
      before, given: "spec", "provenance", the fingerprints and the columns of `RESULT`.

    Raises:
      StoreError: what they contradict each other in.
    """
    check_same_data(before, given)
    check_same(before, given)


def check_same_data(before: Mapping, given: Mapping) -> None:
    """Reject a record that was computed from other data."""
    for name in ("fingerprint", "tokenizer_hash"):
        if given[name] != before[name]:
            raise StoreError(
                f"cell {before['spec'][:12]} was computed from data of {name} {before[name]} and "
                f"now of {given[name]}; the data has changed: choose another --store."
            )


def check_same(before: Mapping, given: Mapping) -> None:
    """Reject a second final result that contradicts the first one."""
    if before["status"] not in FINAL or given["status"] not in FINAL:
        return
    # As it would come back from the store.
    deciding = canonical_json({name: given[name] for name in (*RESULT, "provenance")})
    apart = contradiction(before, json.loads(deciding))
    if apart:
        raise StoreError(
            f"cell {before['spec'][:12]} was computed twice, {apart}; the first result was kept."
        )
