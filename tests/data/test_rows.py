"""Checks of rows, and their identity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_nlp.data.labels import alike
from attn_nlp.data.rows import Raw, Rows, check, fingerprint
from attn_nlp.errors import UserError

GOOD = (["a", "b", "c", "d"], ["x", "y", "x", "y"])


def raw(train=GOOD, names=None, **splits) -> Raw:
    return Raw({"train": train, **splits}, names, "here")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            raw((["a", None, "c", None, None, None], list("xyxyxy"))),
            r"^train rows 2, 4, 5 and 1 more: no text \(null\); give",
        ),
        (raw((["a", 3], ["x", "y"])), "^train row 2: the text is not a string"),
        (raw((["a", "b\ud800"], ["x", "y"])), "^train row 2: the text has a lone surrogate"),
        (raw((["a\0", "b"], ["x", "y"])), "^train row 1: the text contains a NUL"),
        (raw((["", " \n"], ["x", "y"])), "^every text of the train split is empty"),
        (raw(test=([" "], ["x"])), "^every text of the test split is empty"),
        (raw(test=([], [])), "^the test split has no rows"),
        (raw(validation=(["e"], [None])), r"^validation row 1: no label \(null\)"),
        (raw(validation=(["e"], [float("nan")])), r"^validation row 1: no label \(null\)"),
        (raw(test=(["e", "f"], [1, -1]), names=("x", "y")), "^test row 2: label -1, which marks"),
        (
            raw(test=(["e"], ["z"])),
            "^test row 1: label 'z', which no train row has; train has x, y",
        ),
        (raw((["a", "b"], [0, 2]), names=("x", "y")), "^train row 2: label 2 names no class"),
        (raw((["a", "b"], [0.5, 1.0])), "^train row 1: label 0.5 names no class"),
        (
            raw((["a"] * 4, [True, 1, 0, False])),
            "^train rows 2, 3: label 1 is a number, and that of row 1, True, is true or false;",
        ),
        (raw((["a"] * 3, [1, 2, "1"])), "^train row 3: label '1' is a text, and that of row 1, 1,"),
        (
            raw(test=(["e", "f"], ["x", "Y "])),
            "^test row 2: label 'Y', which train spells 'y'; spell each class in one way",
        ),
        (
            raw((["a", "b"], ["1.0", "2.0"]), test=(["e"], ["1"])),
            "^test row 1: label '1', which train spells '1.0'",
        ),
        (
            raw((["a", "b"], ["caf\u00e9", "bar"]), validation=(["e"], ["cafe\u0301"])),
            r"^validation row 1: label 'cafe\\u0301', which train spells 'caf\\xe9'",
        ),
        (
            raw(test=(["e"], ["x\u200b"])),
            r"^test row 1: label 'x\\u200b', which train spells 'x'",
        ),
        (
            raw((["a", "b"], ["pos", "Neg"]), names=("neg", "pos")),
            "^train row 2: label 'Neg', which the data declare as 'neg'",
        ),
        (
            raw((["a"] * 40, [n / 8 for n in range(40)])),
            r"^the labels of train look like regression \(40 values from 0.0 to 4.875\); bin them",
        ),
        (
            raw((["a", "b", "c"], ["1", "9" * 5000, 2 * "1"])),
            "^train row 2: a label of 5,000 characters; the name of a class has 500 or fewer",
        ),
        (raw((["a"] * 3, ["x", "y", "\ufeffx"])), "^train row 3: the label contains a byte order"),
        (raw((["a"] * 3, ["x", "y\0", "x"])), "^train row 2: the label contains a NUL character"),
        (
            raw((["a", "b"], ["x", ["y" * 999]])),
            r"^train row 2: label \['yyy.{,90} names no class;",
        ),
        (raw((["a", "b"], ["x", "x"])), "^every train row has the label 'x'"),
        (Raw({"test": GOOD}, None, "here"), "^the dataset has no train split; found: test"),
    ],
)
def test_bad_rows_are_named(given, said):
    with pytest.raises(UserError, match=said):
        check(given)


def of(values, each):
    """Every value that many times."""
    return [value for value in values for _ in range(each)]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (of([f"{n / 100:.2f}" for n in range(100, 332)], 9), "232 values from 1.00 to 3.31"),
        (of([f"{n},5" for n in range(25)], 90), "25 values from 0,5 to 24,5"),
        ([round(1.37 * n, 2) for n in range(12)], "12 values from 0.0 to 15.07"),
        (of([n / 64 for n in range(30)], 9), "30 values from 0.0 to 0.453125"),
        (of(range(3, 3000, 41), 2), "74 values from 3 to 2996"),
        (of([str(n) for n in range(30, 60)], 2), "30 values from 30 to 59"),
    ],
)
def test_measurements_are_no_classes(labels, said):
    with pytest.raises(UserError, match=rf"look like regression \({said}\)"):
        check(raw((["a"] * len(labels), labels)))


@pytest.mark.parametrize(
    "labels",
    [
        of(range(150), 2),  # ids numbered through, however few rows each
        of([str(n) for n in range(1, 151)], 2),
        of([n for n in range(77) if n % 20], 2),  # a few of them have no row in this sample
        of([f"{n}.0" for n in range(1, 6)], 1),  # stars
        of([f"{n / 2}" for n in range(2, 11)], 2),  # half stars
        of(range(100, 600, 5), 5),  # codes, with rows enough
        of([f"c{n}" for n in range(500)], 1),
        of([f"{n:02}:30" for n in range(24)], 1),
        of([f"2024-01-{n:02}" for n in range(1, 32)], 1),
        of(["1", "2", "many"], 2),
    ],
)
def test_numbers_that_name_classes_are_classes(labels):
    _, names = check(raw((["a"] * len(labels), labels)))
    assert len(names) == len(set(labels))


def test_a_test_split_may_have_few_of_many_ids():
    labels = of(range(400), 2)
    rows, _ = check(raw((["a"] * 800, labels), test=(["a"] * 30, list(range(10, 400, 13)))))
    assert len(rows["test"]) == 30


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["negative", "NEGATIVE", "other"], ["'negative' and 'NEGATIVE'"]),
        (["caf\u00e9", "cafe\u0301"], [r"'caf\xe9' and 'cafe\u0301'"]),
        (["pos", "pos\u200b", "\ufeffpos"], [r"'pos', 'pos\u200b' and '\ufeffpos'"]),
        (["1", "1.0", "01", "\uff11"], ["'1', '1.0', '01' and '\uff11'"]),
        (["'pos'", "pos"], ["\"'pos'\" and 'pos'"]),
        (["very negative", "very  negative", "very_negative"], None),
        (["True", "true", "yes", "Yes"], ["'True' and 'true'", "'yes' and 'Yes'"]),
        (["1", "-1", "10", "1.5", "0", "-", "_", "C", "C++", "C#"], []),
        (["cafe", "caf\u00e9", "a-b", "ab"], []),
    ],
)
def test_names_that_look_alike_are_told(names, said):
    found = alike(names)
    assert found == said if said is not None else len(found) == 1


def test_texts_are_stripped_and_empty_ones_kept():
    rows, _ = check(raw(([" a\n", "", "NA"], ["x", "y", "y"])))
    assert rows["train"].texts == ["a", "", "NA"]


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (["pos", "neg", "pos"], None, ("neg", "pos")),
        ([10, 9, 2], None, ("2", "9", "10")),
        (["10", "9", "2"], None, ("2", "9", "10")),
        ([0.0, 1.0, 1.0], None, ("0", "1")),
        ([True, False, True], None, ("False", "True")),
        ([0, 1, 0], ("zeta", "alpha"), ("zeta", "alpha")),
        (["alpha", "zeta", "zeta"], ("zeta", "alpha"), ("zeta", "alpha")),
    ],
)
def test_class_names(labels, names, expected):
    rows, class_names = check(raw((["a", "b", "c"], labels), names=names))
    assert class_names == expected
    given = [n if isinstance(n, str) else (names or {})[n] if names else None for n in labels]
    for number, name in zip(rows["train"].labels, given, strict=True):
        assert name is None or class_names[number] == name


def three(texts, labels) -> dict[str, Rows]:
    return {
        "train": Rows(texts, labels),
        "validation": Rows(["v"], [0]),
        "test": Rows(["t"], [1]),
    }


def test_fingerprint_value():
    """A stored result names these digits: they change only with the data revision."""
    assert fingerprint(three(["a", "爱"], [0, 1]), ("x", "y")) == (
        "b30aa4b8eb95ad7763ebe61ed4d51f1fc90ce3ca169abc7852921a0353a1889a"
    )


def test_fingerprint_changes_with_any_row_and_only_then():
    names = ("x", "y")
    base = fingerprint(three(["ab", "c"], [0, 1]), names)
    others = [
        fingerprint(three(["a", "bc"], [0, 1]), names),
        fingerprint(three(["c", "ab"], [1, 0]), names),
        fingerprint(three(["ab", "c"], [1, 1]), names),
        fingerprint(three(["ab", "c"], [0, 1]), ("x", "z")),
        fingerprint(three(["ab"], [0]), names),
        fingerprint({"train": Rows(["ab"], [0]), "test": Rows(["c"], [1])}, names),
        fingerprint({"train": Rows(["ab", "c"], [0, 1])}, names),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_fingerprint_knows_labels_by_name():
    one = {"train": Rows(["a", "b"], [0, 1])}
    renumbered = {"train": Rows(["a", "b"], [1, 0])}
    assert fingerprint(one, ("x", "y")) == fingerprint(renumbered, ("y", "x"))


@given(st.lists(st.text(max_size=3), min_size=1, max_size=4), st.data())
def test_no_two_row_lists_share_a_fingerprint(texts, data):
    other = data.draw(st.lists(st.text(max_size=3), min_size=1, max_size=4))
    texts, other = [[t for t in ts if t.isprintable()] for ts in (texts, other)]
    prints = [fingerprint({"train": Rows(ts, [0] * len(ts))}, ("x",)) for ts in (texts, other)]
    assert (prints[0] == prints[1]) == (texts == other)
