"""JSON: every type stays as it is written; what two readers would take differently is rejected."""

from __future__ import annotations

import json

import pytest

from attn_nlp.data.columns import Wanted
from attn_nlp.data.json_rows import DEEPEST, read_json
from attn_nlp.errors import UserError

WANTED = Wanted(("text", "sentence"), "label")
ROWS = [{"text": "a [", "label": "x"}, {"text": "b \u2028", "label": "y"}]


def read(folder, content: str):
    file = folder / "d.json"
    file.write_text(content, encoding="utf-8", newline="")
    return read_json(file, WANTED)


def nested(deep: int, kind: str = "[]") -> str:
    one, other = ('{"a":', "}") if kind == "{}" else kind
    inside = one * deep + "1" + other * deep
    return f'{{"text": "a", "label": "b", "x": {inside}}}\n'


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\ufeff" + json.dumps(ROWS, ensure_ascii=False),
        "\n\n" + "\n\n".join(map(json.dumps, ROWS)) + "\n \n",
        "".join(json.dumps(row, indent=1) for row in ROWS),
    ],
    ids=["list", "indented", "byte order mark", "lines", "one after another"],
)
def test_lists_and_lines_of_objects_are_read(tmp_path, content):
    found = read(tmp_path, content)
    assert (found.texts, found.labels) == (["a [", "b \u2028"], ["x", "y"])


def test_values_keep_their_types(tmp_path):
    given = ["2020-01-01", "2020-01-01 10:00:00", True, 1, 1.5, None, "1", 10**25]
    found = read(tmp_path, "\n".join(json.dumps({"text": "2020-01-02", "label": v}) for v in given))
    assert list(map(repr, found.labels)) == list(map(repr, given))
    assert found.texts == ["2020-01-02"] * len(given)


def test_a_row_may_lack_a_column_and_have_others(tmp_path):
    found = read(tmp_path, '{"text": "a", "id": 7}\n{"label": 1, "why": "z"}')
    assert (found.texts, found.labels) == (["a", None], [None, 1])
    assert found.ignored == {"id": [], "why": ["z"]}


@pytest.mark.parametrize("kind", ["[]", "{}"])
@pytest.mark.parametrize("deep", [DEEPEST, 900, 10_000, 200_000])
def test_what_is_nested_too_deep_is_one_line(tmp_path, kind, deep):
    row = nested(deep, kind)
    for content in (row, f"[{row}]", row[: len(row) // 2]):
        with pytest.raises(UserError, match=r"d\.json: row 1 is nested more than 200 deep|line 1"):
            read(tmp_path, content)


def test_nesting_of_some_depth_is_read(tmp_path):
    found = read(tmp_path, nested(DEEPEST - 1) * 3)
    assert found.texts == ["a"] * 3
    flat = json.dumps({"text": "[" * 5000, "label": "b", "x": [[]] * 5000})
    assert read(tmp_path, flat).texts == ["[" * 5000]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "d.json has no rows"),
        ("[]", "d.json has no rows"),
        ('[{"text": "a", "label": 1, "label": 2}]', "row 1 has the key 'label' twice"),
        ('{"text": "a", "label": 1}\n{"text": "a", "label": 1, "label": 1}', "row 2 has the key"),
        ('{"text": "a", "label": ' + "1" * 5000 + "}", "row 1 has a number that is too long"),
        ('{"text": "a", "label": 1}\n[1]', "row 2 is not an object"),
        ('["a"]', "row 1 is not an object"),
        ('{"text": ["a", "b"], "label": ["x", "y"]}', "one object, not a list of rows"),
        ('{"text": {"0": "a"}, "label": {"0": "x"}}', "one object, not a list of rows"),
        ('{"data": [{"text": "a", "label": 1}]}', "one object, not a list of rows"),
        ('[{"text": "a", "label": 1}] x', "line 1: more follows the list"),
        ('[{"text": "a", "label": 1}\n', "line 2: a comma or the end of the list is missing"),
        ('[{"text": "a", "label": 1},]', "line 1: Expecting value"),
        (
            '{"text": "a", "label": 1}\n\ufeff{"text": "b", "label": 1}',
            "line 2: a byte order mark: files seem to be joined here",
        ),
        ("{'text': 'a', 'label': 1}", "line 1: Expecting property name"),
        ('{"text": "a",\n"label": 1', "line 2: Expecting ',' delimiter"),
        ('{"text": "a\nb", "label": 1}', r"line 1: Invalid control character\.$"),
        ('{"text": "\\ud800", "label": 1}', "row 1 has a lone surrogate"),
        ('{"text": "a", "label": "\\ud800"}', "row 1 has a lone surrogate"),
    ],
)
def test_what_is_rejected(tmp_path, content, said):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, content)
    assert str(caught.value).isprintable()


def test_a_long_key_is_cut_in_the_message(tmp_path):
    with pytest.raises(UserError, match="no text column named") as caught:
        read(tmp_path, json.dumps({"k\x1b[31m" * 10_000: 1}))
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
