"""Load datasets from the Hugging Face Hub, or fail within ten seconds if it cannot be reached.

The library retries an unreachable Hub for 23 seconds and a silent one for minutes, so one request
with a shorter deadline is made first. No code of a repository is ever run: `datasets` refuses
scripts, and nothing here tells it to trust one.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attn_nlp.data.columns import GLANCE, Labeled, Wanted
from attn_nlp.data.library import one_line, quiet_datasets
from attn_nlp.data.parquet_rows import by_name, glance
from attn_nlp.errors import UserError

DEADLINE_SECONDS = 8.0
COMMIT = re.compile(r"[0-9a-f]{40}")
WAYS_OUT = (
    "work from a cached copy with HF_HUB_OFFLINE=1, put the files in $ATTN_NLP_DATA/<name>, "
    "or name a local file or folder instead"
)


def why_unreachable(address: str, seconds: float = DEADLINE_SECONDS) -> str | None:
    """Return why the Hub gives no useful answer, or None if it does.

    Args:
      address: what to request; any status below 500 counts as an answer, even "not found".
      seconds: deadline for everything, including name resolution and a server that never answers.
    """
    from huggingface_hub.utils import get_session

    answer: list[str | None] = [f"no answer within {seconds:g} s"]

    def ask() -> None:
        try:
            status = get_session().head(address, timeout=seconds).status_code
            answer[0] = f"it answers with status {status}" if status >= 500 else None
        except Exception as error:  # every failure to connect means the same here
            answer[0] = one_line(error)

    # A daemon thread, because no timeout of the library covers a hung DNS lookup.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0]


def load_from_hub(hub_id: str, revision: str | None) -> tuple[dict[str, Any], str]:
    """Load every split of a Hub dataset.

    Honors HF_HUB_OFFLINE (only the cache is read), HF_ENDPOINT and HF_HOME.

    Args:
      hub_id: `owner/name` or `owner/name:config`.
      revision: branch, tag or commit; None for the latest.

    Returns:
      split -> `datasets.Dataset`, and the origin as "Hub owner/name@commit".

    Raises:
      UserError: the Hub cannot be reached, has no such dataset, or its files cannot be read.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    repository, _, config = hub_id.partition(":")
    if os.path.lexists(repository):  # the library would read it instead
        raise UserError(
            f"{repository!r} is also a file or folder here, which would be read instead of the "
            f"Hub's {hub_id!r}; work in another folder."
        )
    with quiet_datasets() as datasets:
        from huggingface_hub import constants

        if not datasets.config.HF_HUB_OFFLINE:
            reason = why_unreachable(f"{constants.ENDPOINT}/api/datasets/{repository}")
            if reason is not None:
                raise UserError(f"cannot reach the Hub for {hub_id!r} ({reason}); {WAYS_OUT}.")
        try:
            loaded = datasets.load_dataset(repository, config or None, revision=revision)
        except Exception as error:  # network, repository and files raise a dozen types
            raise UserError(
                f"cannot load {hub_id!r} from the Hub: {one_line(error)}; "
                f"check the id, or {WAYS_OUT}."
            ) from error
    splits = {str(name): loaded[name] for name in loaded}
    return splits, f"Hub {repository}@{commit_of(splits) or revision or 'unknown commit'}"


def commit_of(splits: dict[str, Any]) -> str | None:
    """Return the commit of the loaded files, which is part of their paths in the cache."""
    for split in splits.values():
        for file in split.cache_files:
            for part in Path(file["filename"]).parts:
                if COMMIT.fullmatch(part):
                    return part
    return None


def read_hub_split(where: str, split: Any, wanted: Wanted) -> Labeled:
    """Return the text and the label of every row of one split; ClassLabel values by name.

    Args:
      where: what the rows belong to, for messages.
      split: a `datasets.Dataset`.
      wanted: the columns that are read; no others are unpacked.
    """
    text, label = wanted.of(where, split.column_names)
    feature = split.features[label]
    names = tuple(feature.names) if type(feature).__name__ == "ClassLabel" else None
    both = split.select_columns([text, label])
    others = [column for column in split.column_names if column not in (text, label)]

    def batches(columns: list[str]) -> Iterable[Any]:
        return split.select_columns(columns).with_format("arrow").iter(GLANCE)

    ignored = glance(split.features.arrow_schema, others, batches)
    return Labeled(list(both[text]), by_name(list(both[label]), names), names, ignored, text)
