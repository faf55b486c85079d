"""A small experiment with everything that a report can show, and the same with nasty texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from attn_nlp.report import Report, report
from tests.tables.example import ROWS, example, facts

DOCSTRING = """Does the scale matter?

Question.   The dot product grows
            with the head.
Prediction. It does.
Outcome.    It did not.
Protocol.   Seven seeds.
"""
NASTY = (
    "<script>window.pwned=1</script></script><img src=x onerror=window.pwned=2>"
    '"\' onmouseover=window.pwned=3 x=" --> ]]> {{ 7*7 }} {% raw %} &lt;b&gt; \x00\x1b[31m\u202eb'
)
TEXTS = ["right for all", "wrong for all", "wrong for some", "wrong for one"]
GOLD = [0, 1, 0, 1]


def sample(nasty: str = "") -> Report:
    """The report of the example of the tables; every text of the user's replaced by `nasty`.

    The second test sentence is wrong in every run, the third in all runs of "unscaled", the fourth
    in the run of "unscaled" with seed 0, the first never.
    """
    plain, resolved, records = example()
    rows = ROWS
    if nasty:
        rows = [plain["rows"][0] | {"label": nasty, "cite": nasty}, *ROWS[1:]]
        plain = plain | {"title": nasty, "note": nasty, "rows": rows}
    resolved = dataclasses.replace(
        resolved,
        name=nasty or "scales",
        question=f"{nasty}\n\nQuestion. {nasty}\n{nasty}" if nasty else DOCSTRING,
        tables=(plain,),
        skipped=tuple(each | {"reason": nasty or each["reason"]} for each in resolved.skipped),
    )
    for number, cell in enumerate((*resolved.cells, *resolved.baselines)):
        record = records.get(cell["spec"])
        if record is None:
            continue
        settings = cell["settings"]
        unscaled = settings["attention.scale"] == "none"
        wrong = (False, True, unscaled, unscaled and settings["seed"] == 0)
        known = facts(settings["dataset"]) | {"class_names": [nasty + "no", nasty + "yes"]}
        if nasty:
            known |= {"label": nasty, "note": nasty, "cite": nasty, "source": nasty}
            record["reason"] = nasty
        record |= {
            "data": known,
            "finished_at": f"2026-01-02T03:04:{number % 60:02}+00:00",
            "fingerprint": settings["dataset"] * 8,
            "gold": GOLD,
            "predictions": [1 - g if w else g for g, w in zip(GOLD, wrong, strict=True)],
            "confidences": [0.5, 0.75, 0.6, 0.9],
        }
        if nasty:
            record["provenance"] = {"device": nasty, "threads": number % 2}
    return report(
        resolved,
        records,
        prepared=Path("nowhere"),
        commands=[f"attn-nlp run {nasty or 'scales.py'}"],
        changed=nasty,
        remark=nasty,
    )
