"""JSON: valid by its schema, exact to the last bit, harmless inside a page."""

from __future__ import annotations

import copy
import dataclasses
import json

import jsonschema
import pytest

from attn_nlp.tables import build, cost, render
from attn_nlp.tables.formats.json import VERSION, schema

from .example import by_heads, example
from .hostile import HOSTILE, hostile


def document(*grids):
    return json.loads(render(grids, "json"))


def validate(found):
    jsonschema.Draft202012Validator(schema()).validate(found)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["properties"]["schema"] == {"const": VERSION}


def test_every_table_is_valid():
    nothing_run = build(*example()[:2], {})
    grids = [build(*example()), build(*by_heads()), cost(*example()), hostile(), nothing_run]
    found = document(*grids)
    validate(found)
    assert len(found["tables"]) == 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.update(schema="attn-nlp/tables/0"),
        lambda found: found["tables"][0].pop("notes"),
        lambda found: found["tables"][0].update(color="red"),
        lambda found: found["tables"][0]["rows"][0].update(kind="best"),
        lambda found: found["tables"][0]["rows"][0]["entries"][0].update(state="lost"),
        lambda found: found["tables"][0]["rows"][0]["entries"][0].update(summary=None),
        lambda found: found["tables"][0]["rows"][0]["entries"][0]["comparison"].update(p=1.5),
        lambda found: found["tables"][0]["rows"][0]["entries"][0]["comparison"].pop("margin"),
    ],
)
def test_the_schema_rejects_what_is_wrong(spoil):
    found = document(build(*example()))
    broken = copy.deepcopy(found)
    spoil(broken)
    validate(found)
    with pytest.raises(jsonschema.ValidationError):
        validate(broken)


def test_numbers_are_exact():
    grid = build(*example())
    (table,) = document(grid)["tables"]
    for row, found in zip(grid.rows, table["rows"], strict=True):
        for entry, each in zip(row.entries, found["entries"], strict=True):
            if entry.summary:
                assert each["summary"] == dataclasses.asdict(entry.summary)
            if entry.comparison:
                assert each["comparison"]["p_holm"] == entry.comparison.p_holm
                assert each["comparison"]["difference"]["sd"] == entry.comparison.difference.sd
                assert each["comparison"]["interval_90"] == list(entry.comparison.interval_90)
            assert each["reason"] == (entry.reason or None)


def test_text_is_exact_and_cannot_end_a_script():
    text = render([hostile()], "json")
    assert "<" not in text
    assert json.loads(text)["tables"][0]["title"] == HOSTILE
