"""Captions: what the short one prints, that it leaves out no warning, that the full one has all."""

from __future__ import annotations

import pytest

from attn_nlp.errors import UserError
from attn_nlp.tables import FORMATS, build, cost, render
from attn_nlp.tables.notes import MORE, Importance, chosen, detail, short, warning

from .example import by_heads, example
from .test_across import grid_of
from .test_over_sentences import with_predictions

CAPTIONED = ("terminal", "markdown")


def plain_example():
    """The example without anything to warn of: all runs done, no text twice, all rows differ."""
    plain, experiment, records = example(rows=example()[0]["rows"][:3], where={"dataset": "sst2"})
    for each in records.values():
        each["data"]["duplicates"] = {}
    return plain, experiment, records


def printed(grid, **options) -> str:
    return " ".join(render([grid], "terminal", **options).split())


def test_a_table_without_warnings_has_four_lines_and_one_on_the_rest():
    text = render([build(*plain_example())], "terminal").partition("\n\n▼")[2]
    assert text == (
        " worse (Holm p < .05) · = equivalent\n"
        "\n"
        "±: half of a 95% t interval over 7 seeds, conditional on this test set.\n"
        "Differences from the reference: sign-flip test paired over seeds, Holm over 2 tests per "
        "column.\n"
        "Same settings for all rows, none tuned: their order may depend on the learning rate. All "
        "cells have\n"
        "  dataset = sst2.\n"
        f"{MORE}\n"
    )


def test_the_order_is_what_all_need_then_warnings_then_how_to_see_the_rest():
    notes = [warning("Few.", "F."), detail("By hand."), short("Half: sd.", "H.")]
    found = chosen(notes, "short")
    assert found == [
        ("H.", Importance.SHORT),
        ("F.", Importance.WARNING),
        (MORE, Importance.DETAIL),
    ]
    assert [text for text, _ in chosen(notes, "full")] == ["Few.", "By hand.", "Half: sd."]
    assert chosen([warning("Few.")], "short") == [("Few.", Importance.WARNING)]


def test_the_notes_of_the_example_that_warn_are_in_its_short_caption():
    text = printed(build(*example()), width=400)
    for words in (
        "Scores identical to the reference's in every pair: 'half' (SST-2)",
        "SST-2: 3 texts of test also in train.",
        "TREC-6: 3 texts of test also in train.",
        "1 diverged, 1 failed, 4 not run yet. Means over the survivors flatter rows",
    ):
        assert words in text
    assert "standard error" not in text


def test_too_few_seeds_are_a_warning():
    text = printed(build(*by_heads()), width=400)
    assert (
        "With 1 comparison and 2 seeds no difference can reach significance; that takes at least 6"
        in text
    )
    assert (
        "With 1 comparison and 2 seeds nothing can be called equivalent; that takes at least 5"
        in text
    )


@pytest.mark.parametrize("format", CAPTIONED)
@pytest.mark.parametrize(
    "grid",
    [
        build(*example()),
        build(*by_heads()),
        build(*example(value="validation.accuracy", note="Of the author.")),
        cost(*example()).with_warnings(["old results."]),
        grid_of({"none": (0.5, 0.6, 0.7), "rsqrt_dim": (0.6, 0.7, 0.8)}),
    ],
    ids=["scales", "heads", "validation", "cost", "datasets"],
)
def test_no_warning_is_left_out(grid, format):
    """In a short caption the brief text of a warning, or all of it; in a full one every note."""
    options = {"width": 10_000} if format == "terminal" else {}
    text = render([grid], format, **options).replace("\\", "").replace("&lt;", "<")
    full = render([grid], format, caption="full", **options).replace("\\", "").replace("&lt;", "<")
    warnings = [note for note in grid.caption if note.importance is Importance.WARNING]
    for note in warnings:
        assert (note.brief or note.text) in text
    for note in grid.caption:
        assert note.text in full
        assert (note.text in text) == (note.importance is not Importance.DETAIL and not note.brief)
    assert MORE in text
    assert MORE not in full


def test_later_warnings_are_printed_too():
    said = "dataset 'x' has changed."
    grid = build(*example()).with_warnings([said])
    assert grid.caption[-1] == warning("Dataset 'x' has changed.")
    assert "Dataset 'x' has changed." in printed(grid)


def test_a_verdict_that_other_sentences_would_take_back_is_a_warning():
    plain, experiment, records = with_predictions()
    says = "Found better or worse, but with another draw of test sentences the interval includes "
    assert f"{says}zero: 'unscaled' (SST-2)." in printed(build(plain, experiment, records))
    for spec in records:  # no row is then found better or worse
        if "/none/" in spec:
            records[spec] = records[spec.replace("/none/", "/rsqrt_dim/")]
    (note,) = [
        each
        for each in build(plain, experiment, records).caption
        if each.text.startswith("± does not cover")
    ]
    assert note.importance is Importance.DETAIL


@pytest.mark.parametrize("format", [each for each in FORMATS if each not in CAPTIONED])
def test_other_formats_keep_everything(format):
    grid = build(*example())
    assert render([grid], format) == render([grid], format, caption="full")
    assert MORE not in render([grid], format)


def test_an_unknown_caption_is_a_mistake():
    with pytest.raises(UserError, match=r"unknown caption 'ful'.*Did you mean 'full'\?"):
        render([], "terminal", caption="ful")
