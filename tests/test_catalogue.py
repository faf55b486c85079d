"""Pages on parts: found by name, complete, current, and safe in Markdown."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path

import pytest

from attn_nlp.catalogue import words
from attn_nlp.catalogue.lookup import known, one, some
from attn_nlp.catalogue.markdown import markdown
from attn_nlp.catalogue.page import page
from attn_nlp.catalogue.price import LENGTHS, price
from attn_nlp.errors import UserError
from attn_nlp.experiment import costs
from attn_nlp.parts import hooks, registry
from attn_nlp.parts.registry import Learned, Named, Numeric, Static
from attn_nlp.wording import rounded_count

GOLDEN = Path(__file__).parents[1] / "docs" / "catalogue.md"
PARTS = registry.parts()
IDS = [f"{part.slot}:{part.name}" for part in PARTS]


def test_golden_the_page_of_all_parts_is_current():
    """`make catalogue` writes it; with ATTN_NLP_REGENERATE=1 this test does."""
    written = markdown()
    if os.environ.get("ATTN_NLP_REGENERATE"):
        GOLDEN.write_text(written, encoding="utf-8")
    assert written == GOLDEN.read_text(encoding="utf-8"), "out of date: run `make catalogue`"


@pytest.mark.parametrize("part", PARTS, ids=IDS)
def test_every_part_has_a_source_and_words_for_all_its_facts(part):
    assert part.entry()["citation"]
    assert part.summary.endswith(".")
    assert part.formula
    told = set(words._WORDS) | set(words._COUNTED)
    assert set(part.facts) <= told, "give the fact words in attn_nlp/catalogue/words.py"


@pytest.mark.parametrize("part", PARTS, ids=IDS)
def test_a_page_tells_all_there_is(part):
    told = page(part)
    for text in (part.label, part.cite, inspect.cleandoc(part.doc), *part.learned):
        assert text in told
    for name in part.settable:
        assert re.search(rf"^  {name} ", told, re.MULTILINE)
    found = price(part)
    if found is not None:
        assert f"{found.in_all:,} in total" in told
        assert all(rounded_count(count) in told for count in found.flops)


def test_a_page_says_what_a_part_costs():
    told = page(one("bilinear"))
    assert "form  (Q, D, D); starts at N(0, s²), s = D**-0.5" in told
    assert "1,024 of its own in each block" in told
    own = [rounded_count(2 * 4 * t * 16 * 16 + 2 * 4 * t * t * 16) for t in LENGTHS]
    assert re.search(r"own operations\s+" + r"\s+".join(map(re.escape, own)), told)
    assert "own operations  2*Q*T*D*D + 2*Q*T*T*D" in told
    assert "fitted by its own code; not counted" in page(one("majority"))


def test_a_part_is_found_by_name_by_place_and_by_its_other_names(catalogue, monkeypatch):
    assert one("query_mix").place == ("mixer", "query_mix")
    assert one("normalizer:softmax").place == ("normalizer", "softmax")
    assert {part.slot for part in some("softmax")} == {"normalizer", "activation"}
    monkeypatch.setattr(registry, "_aliases", {("score", "general"): "bilinear"})
    assert one("general") is one("score:general") is one("bilinear")
    assert "aliases   general" in page(one("bilinear"))
    assert "also known as `general`" in markdown()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sofmax", "those of an experiment file with --import FILE. Did you mean 'softmax'?"),
        ("normaliser", "Did you mean 'normalizer'?"),
        ("normalizer:sofmax", "Did you mean 'softmax'?"),
        ("normaliser:softmax", "unknown slot 'normaliser'"),
        ("qqq", "'attn-nlp parts' lists them, and those of an experiment file with --import FILE."),
        ("", "unknown slot or part ''"),
        ("softmax", "write 'normalizer:softmax' or 'activation:softmax'."),
    ],
)
def test_an_unknown_or_unclear_name_is_a_mistake(text, said):
    with pytest.raises(UserError) as caught:
        one(text)
    assert said in str(caught.value)


def test_every_name_is_known():
    assert {part.name for part in PARTS} <= known().keys()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (Numeric(1.0), "1; any number"),
        (Numeric("D**-0.5", high=2.0), "D**-0.5; a number to 2"),
        (Numeric(0.5, low=0.0, high=1.0), "0.5; a number from 0 to 1"),
        (Static("T", low=3), "T; an integer from 3"),
        (Named("weighting", "learned"), "learned; any weighting of the catalogue"),
    ],
)
def test_settings_in_words(setting, said):
    assert words.setting(setting) == said


def test_arrays_in_words():
    assert words.shape(Learned("2*reach+1 D")) == "(2*reach+1, D)"
    assert words.start(Learned("D", fill=0.5)) == "starts at 0.5"
    assert words.start(Learned("D", fill=1.0, std=0.1)) == "starts at N(1, s²), s = 0.1"


def test_facts_in_words(catalogue, monkeypatch):
    monkeypatch.setitem(hooks.FACTS, "new", "text")
    groups = {"groups": Static(2)}

    @registry.score(
        "odd", settings=groups, requires={"U": "D"}, divides={"H": "groups"}, kinked=False,
        new="thing",  # pyright: ignore[reportCallIssue]
    )  # fmt: skip
    def odd(q, k):
        """Compare."""

    assert words.facts(registry.find("score", "odd")) == [
        "needs value_dim equal to head_dim",
        "needs heads a multiple of groups",
        "new: thing",
    ]


def test_markdown_shows_what_was_written(catalogue):
    @registry.score("hostile", label="a|b `c` **d** <e> _f_", cite="[g](http://h) | $i$ & j")
    def hostile(q, k):
        """Compare *this* | with <that> and `those`."""

    written = markdown()
    row = next(line for line in written.splitlines() if line.startswith("| `hostile`"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    for text in ("<e>", "[g](", "**d**", "<that>", " *this* "):
        assert text not in written
    assert r"a\|b \`c\` \*\*d\*\* &lt;e&gt; \_f\_" in written


def test_markdown_is_well_formed():
    written = markdown()
    outside = re.sub(r"^```text\n.*?^```$", "", written, flags=re.MULTILINE | re.DOTALL)
    assert "```" not in outside
    headings = re.findall(r"^### (.*)$", outside, re.MULTILINE)
    assert [heading.replace("\\", "") for heading in headings] == sorted(IDS, key=_by_slot)
    prose = re.sub(r"`[^`\n]*`", "", outside)
    for line in prose.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line
        assert not re.search(r"(?<!\\)_", line), line


def _by_slot(place: str) -> int:
    return [*registry.SLOTS].index(place.partition(":")[0])


def test_prices_are_of_the_part_and_of_the_cell():
    found = price(one("differential"))
    assert found is not None
    assert found.parameters == 4 * 16 + 16
    cell = costs.showing(one("differential"))
    assert found.in_all == costs.parameters(cell, 8000, 2)
    assert found.flops == tuple(costs.flops(cell, tokens) for tokens in LENGTHS)
    assert found.state == tuple(tokens * 4 * 32 for tokens in LENGTHS)
    first = price(one("unit_variance"))
    assert first is not None
    assert (first.own, first.acts) == (None, False)


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0"), (999, "999"), (999.7, "1k"), (1234, "1.23k"), (999_950, "1M"), (2.5e9, "2.5G")],
)
def test_counts_to_three_digits(count, said):
    assert rounded_count(count) == said
