"""The proofs of every part, recorded by the tests as they pass, and their counts.

A test marked `proof(kind)` that is parametrized by `slot` and `text` proves that kind of thing of
the part that `text` names. At the end of a run the passes are written to build/proofs.json;
`python -m tests.proofs` counts them and fails where a part lacks one.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from attn_nlp.parts import registry

FILE = Path(__file__).parents[1] / "build" / "proofs.json"
# Every part agrees with its reference; what training differentiates has proved gradients.
ALWAYS = {"reference", "extremes"}
SMOOTH = {"gradient", "finite gradient"}
NOT_SMOOTH = {"mask", "init"}
# Parts that work on pairs are proved in blocks; of what is hidden, nothing may come through.
BY_SLOT = {
    "score": {"blocks"},
    "scale": {"blocks"},
    "mask": {"blocks"},
    "normalizer": {"blocks", "hidden"},
    "mixer": {"blocks", "hidden"},
    "position": {"blocks", "hidden"},
    "kind": {"hidden"},
    "pooling": {"hidden"},
    "activation": {"hidden"},
    "model": {"hidden"},
}
# How many parts the catalogue promises.
PROMISED = {
    "score": 12,
    "scale": 11,
    "normalizer": 11,
    "position": 7,
    "mixer": 7,
    "kind": 9,
    "pooling": 5,
    "model": 4,
    "optimizer": 5,
}


def needed(part: registry.Part) -> set[str]:
    """The kinds of proof that a part must have."""
    if part.slot == "optimizer" or (part.slot == "model" and "read" not in part.hooks):
        return set()  # the encoder, baselines and optimizers are proved by tests of their own
    found = ALWAYS | BY_SLOT.get(part.slot, set())
    if part.slot not in NOT_SMOOTH:
        found |= {"finite gradient"} if part.facts.get("surrogate") else SMOOTH
    return found


def write(passed: set[tuple[str, str, str]]) -> None:
    """Keep (slot, part, kind) of what has passed."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(sorted(passed), indent=0) + "\n", encoding="utf-8")


def lacking(passed: set[tuple[str, str, str]]) -> list[str]:
    """Name what has not been proved."""
    return [
        f"{part.slot} {part.name}: {kind}"
        for part in registry.parts()
        for kind in sorted(needed(part))
        if (part.slot, part.name, kind) not in passed
    ]


def main() -> int:
    """Print the counts; 1 where a part lacks a proof or a slot lacks parts."""
    if not FILE.exists():
        print(f"{FILE.name} is not there; run the tests first", file=sys.stderr)
        return 1
    passed = {tuple(each) for each in json.loads(FILE.read_text(encoding="utf-8"))}
    wrong = lacking(passed)
    for slot in registry.SLOTS:
        names = [part.name for part in registry.parts(slot)]
        kinds = Counter(kind for of, _, kind in passed if of == slot)
        counted = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
        if not any(map(needed, registry.parts(slot))):
            counted = "proved by tests of their own"
        print(f"{slot}: {len(names)} parts; {counted or 'nothing proved'}")
        if len(names) < PROMISED.get(slot, 1):
            wrong.append(f"{slot}: {len(names)} parts, promised {PROMISED[slot]}")
    for line in wrong:
        print(f"not proved: {line}", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
