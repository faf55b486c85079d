"""Check that the columns of a cell agree: spec, key, data, labels, right answers and scores.

Each column may fit by itself and still belong to another cell. These checks look at many cells at
once, whenever results are read; `health` looks at more, cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attn_nlp.experiment.identity import key_of
from attn_nlp.result.schema import disagreement, is_share, miscounted
from attn_nlp.store.correctness import packed
from attn_nlp.store.damage import named
from attn_nlp.store.schema import CORRECT

IDENTITY = ("key", "fingerprint", "tokenizer_hash")


class Apart(ValueError):
    """A cell whose small columns contradict one another, in words."""


def check_answers(answers: Sequence[bytes | None], gold: Sequence[list[int] | None]) -> None:
    """Right answers have a bit for every label.

    Raises:
      ValueError: some have not.
    """
    for right, labels in zip(answers, gold, strict=True):
        if right is not None and len(right) != -(-len(labels or ()) // 8):
            raise ValueError(CORRECT)


def check_sizes(
    specs: Sequence[str], data: Sequence[Mapping | None], gold: Sequence[list[int] | None]
) -> None:
    """The test split has as many sentences as labels.

    Raises:
      Apart: the first cell whose facts of the data say otherwise.
    """
    for spec, facts, labels in zip(specs, data, gold, strict=True):
        if facts is None or labels is None:
            continue
        size = test_size(facts)
        if size is not None and size != len(labels):
            raise Apart(
                f"cell {spec[:12]} has {len(labels)} labels of a test split of {size} sentences"
            )


def test_size(facts: Mapping) -> int | None:
    """Sentences of the test split by the facts of a dataset; None where they do not say."""
    return ((facts.get("splits") or {}).get("test") or {}).get("rows")


def check_shares(
    specs: Sequence[str],
    accuracies: Sequence[float | None],
    answers: Sequence[bytes | None],
    gold: Sequence[list[int] | None],
) -> None:
    """Test accuracies are those of the right answers.

    Raises:
      Apart: the first one that is not.
    """
    for spec, accuracy, bits, labels in zip(specs, accuracies, answers, gold, strict=True):
        if accuracy is None or bits is None or not labels:
            continue
        right = int.from_bytes(bits).bit_count()
        if not is_share(accuracy, right, len(labels)):
            raise Apart(
                f"cell {spec[:12]} has the test.accuracy {accuracy:.6g} and {right} right answers "
                f"of {len(labels)}"
            )


def check_results(columns: Mapping[str, Sequence]) -> None:
    """Test results agree with one another, cell by cell.

    Args:
      columns: "spec" and those of a result, with "gold" and "correct" where they are known; of
        scores "test", or parts of it such as "test.ece".

    Raises:
      Apart: the first cell that contradicts itself.
    """
    parts = {name: name.removeprefix("test.") for name in columns if name.startswith("test.")}
    for row in zip(*columns.values(), strict=True):
        record = dict(zip(columns, row, strict=True))
        if "test" not in record:
            record["test"] = {part: record[name] for name, part in parts.items()}
            record.pop("status", None)  # which asks for scores that were not read
        cell, gold = named(record["spec"])[:12], record.get("gold")
        found = disagreement(record, gold) or miscounted(record, gold)
        if found is not None:
            raise Apart(f"cell {cell}: {found}")
        if "predictions" in record and CORRECT in record:
            right = packed(record["predictions"], gold)
            if right is not None and record[CORRECT] is None:
                raise Apart(f"cell {cell} has predictions and labels, and no right answers")
            if right != record[CORRECT]:
                raise Apart(f"cell {cell} has right answers that are not those of its predictions")


def is_own(spec: object, key: object, fingerprint: object, tokens: object) -> bool:
    """Return whether a cell's key was made of its spec, or no data is known that tells.

    Args:
      spec: the cell.
      key, fingerprint, tokens: its columns of `IDENTITY`.
    """
    if fingerprint is None:
        return True
    if not all(isinstance(text, str) for text in (spec, fingerprint, tokens or "")):
        return False
    return key == key_of(str(spec), str(fingerprint), str(tokens or ""))


def check_identities(specs: Sequence[str], identities: Iterable[Sequence]) -> None:
    """Every cell stands under its own spec.

    Raises:
      Apart: the first that does not.
    """
    for spec, identity in zip(specs, identities, strict=True):
        if not is_own(spec, *identity):
            raise Apart(f"cell {named(spec)[:12]} has a key that is not its own")
