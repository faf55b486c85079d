"""The page as text: one file, one script, one style, and all of a user's texts as text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from attn_nlp.report import page
from attn_nlp.report.page import shown

VOID = {"meta", "img"}


class Outline(HTMLParser):
    """Tags, attributes and texts; fails on a tag that is not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.tags, self.attributes, self.texts = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.texts.append(data)


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


@pytest.fixture(params=["html", "nasty_html"])
def either(request) -> str:
    return request.getfixturevalue(request.param)


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_allows_this_script_and_this_style_and_nothing_else(either):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', either)[1]
    directives = dict(each.split(maxsplit=1) for each in policy.replace("&#39;", "'").split("; "))
    (script,) = re.findall(r"<script>(.*?)</script>", either, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", either, re.DOTALL)
    assert directives == {
        "default-src": "'none'",
        "script-src": f"'{digest(script)}'",
        "style-src": f"'{digest(style)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_in_the_file_asks_for_anything(either):
    found = outline(either)
    assert found.tags.count("script") == found.tags.count("style") == 1
    assert not {"img", "link", "iframe", "object", "embed", "form", "base"} & set(found.tags)
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "style", "action", "ping"), (tag, name)
        if name in ("href", "xlink:href"):
            assert value.startswith("#")
        if value and "url(" in value:
            assert re.fullmatch(r"url\(#[\w-]+\)", value)
    style = re.search(r"<style>(.*?)</style>", either, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_ids_are_unique_and_what_refers_to_one_finds_it(either):
    found = outline(either)
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    for _, name, value in found.attributes:
        if name in ("aria-labelledby", "aria-describedby", "data-copies"):
            assert value in ids
        if name == "href":
            assert value[1:] in ids


def test_headings_step_down_one_level_at_a_time(html):
    headings = outline(html).headings
    assert headings.count(1) == 1
    steps = [after - before for before, after in zip([0, *headings], headings, strict=False)]
    assert max(steps) == 1


def test_the_report_says_what_the_example_says(html):
    text = " ".join("".join(outline(html).texts).split())
    for said in (
        "Does the scale matter?",
        "The dot product grows with the head.",
        "SST-2: against '1/sqrt(D)' at 73.0%, worse: 'unscaled' (−2.4 points); equivalent: "
        "'1/D' (0.0 points); undecided: 'half' (0.0 points); 0 of 4 rows above",
        "Outcome stated in the file",
        "Not dated, from its author's run",
        "It did not.",
        "Seven seeds.",
        "47 done, 1 diverged, 1 failed, 4 not run yet",
        "loss is NaN at step 40",
        "half is too few",
        "3 test sentences also in train.",
        "cpu",
        "0.10.2",
        "2 January 2026, 03:04 UTC",
        "attn-nlp run scales.py",
        "Paired differences from the reference",
        "Where the rows differ most",
    ):
        assert said in text, said


def test_pictures_have_words_for_those_who_do_not_see_them(plain, html):
    pictures = [attributes for tag, *attributes in outline(html).attributes if tag == "svg"]
    said = [value for name, value in pictures if name == "aria-label"]
    assert len(said) == [value for name, value in pictures if name == "role"].count("img")
    assert len(said) == len(plain.mechanisms) - 1 + sum(len(p) for _, p in plain.plots.drawn)
    assert all(len(each) > 20 for each in said)


def test_hostile_texts_are_shown_whole(nasty_html):
    text = "".join(outline(nasty_html).texts)
    assert text.count("<script>window.pwned=1</script></script><img src=x") >= 20
    assert "{{ 7*7 }} {% raw %} &lt;b&gt;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", nasty_html)


def test_the_same_report_gives_the_same_bytes(plain, html):
    assert page(plain) == html
    assert len(html.encode()) < 1_000_000


def test_a_lone_surrogate_is_shown_as_a_question_mark():
    assert shown("a\ud800b\nc\td") == "a?b\nc\td"
    assert shown(3) == 3
