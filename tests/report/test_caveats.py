"""The description of the data in a report."""

from __future__ import annotations

from attn_nlp.report.caveats import datasets
from attn_nlp.tables.facts import Facts
from tests.tables.example import facts


def test_blemishes_are_told_worst_first_and_sizes_by_split():
    (found,) = datasets(Facts({"sst2": facts("sst2")}), {"sst2": ["abc" * 20]})
    assert found.label == "SST-2"
    assert found.caveats == (
        "3 test sentences also in train.",
        "5 sentences repeated within train.",
        "1 text with more than one label.",
        "12 texts cut off at the longest length that the cells read.",
    )
    sizes = dict(found.sizes)
    assert sizes["sentences"] == ("6,920", "872", "1,821")
    assert sizes["unknown tokens"] == ("0.0%", "3.1%", "3.4%")
    assert sizes["largest class"] == ("", "", "50.1%")
    assert "tokens, mean" not in sizes
    assert dict(found.origin) == {
        "Credit": "Socher et al., 2013",
        "Validation split": "official split",
        "Fingerprint": "abcabcabcabcabca",
    }


def test_clean_data_are_said_to_be_clean_and_generated_ones_generated():
    (plain,) = datasets(Facts({"x": {}}), {})
    assert (plain.label, plain.sizes, plain.origin) == ("x", (), ())
    assert plain.caveats == ("No repeated text, no conflicting label and no cut text was found.",)
    (made,) = datasets(Facts({"x": {"real": False, "note": "made up"}}), {})
    assert made.caveats == ("Made up.", "Generated, not written by people.")


def test_a_fold_that_plays_test_and_odd_classes_are_caveats():
    rule = "no official test split: fold 0 of 10, held out from train"
    known = {
        "test_rule": rule,
        "look_alike_labels": ["'pos' and 'Pos'"],
        "ignored_columns": ["text_pair"],
    }
    (found,) = datasets(Facts({"x": known}), {})
    assert found.caveats == (
        "Columns not read: text_pair.",
        "Classes that look alike: 'pos' and 'Pos'.",
        "No official test split: fold 0 of 10, held out from train.",
    )
    assert dict(found.origin)["Test split"] == rule
