"""HTML: well formed, every text of a user's stays text, nothing runs and nothing is asked for."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from attn_nlp.tables import build, cost, html, render
from attn_nlp.wording import clean

from .example import by_heads, example
from .hostile import HOSTILE, hostile

VOID = {"meta"}
TAGS = {
    *("figure", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "figcaption"),
    *("strong", "span", "sup", "a", "dl", "dt", "dd", "ul", "li"),
}
PAGE = {"html", "head", "meta", "title", "style", "body", "main", "h1"}
# All that a fragment may hold; none of them can run a script or fetch anything.
ATTRIBUTES = {
    *("class", "id", "role", "scope", "colspan", "rowspan", "tabindex", "href", "data-value"),
    "data-sort",
    *("aria-label", "aria-describedby"),
}


class Strict(HTMLParser):
    """Collects tags, attributes and texts, and fails on a tag that is not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def parsed(text):
    parser = Strict()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


@pytest.mark.parametrize(
    "grid",
    [build(*example()), build(*by_heads()), cost(*example()), hostile()],
    ids=["scales", "heads", "cost", "hostile"],
)
def test_a_fragment_holds_only_what_it_may(grid):
    found = parsed(html(grid, "t1"))
    assert set(found.tags) <= TAGS
    names = [name for name, _ in found.attributes]
    assert set(names) <= ATTRIBUTES
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert all(each == "t1" or each.startswith("t1-") for each in ids)
    links = {value for name, value in found.attributes if name == "href"}
    assert links <= {f"#{each}" for each in ids}
    assert len(links) == len(grid.footnotes)


def test_every_hostile_text_is_shown_whole():
    found = parsed(html(hostile()))
    texts = "".join(found.texts)
    assert texts.count(clean(HOSTILE)) >= 6  # title, label, source, header, reason, note
    assert ("aria-label", clean(HOSTILE)) in found.attributes


def test_rows_and_columns_are_headed_for_a_screen_reader():
    text = html(build(*by_heads()))
    head, body = text.split("</thead>")
    assert len(re.findall(r'<th scope="colgroup" colspan="3">', head)) == 2
    assert len(re.findall(r'<th scope="col" class="attn-score">(?:1|4|16)</th>', head)) == 6
    assert body.count('<th scope="row">') == 2
    rows = re.findall(r"<tr.*?</tr>", head)
    # The heads of parameters and source span both levels, so that every row has nine columns.
    assert [row.count("<th") for row in rows] == [1 + 2 + 2, 1 + 6]
    assert all(row.count("<td") == 6 + 2 for row in re.findall(r"<tr.*?</tr>", body))


def test_missing_numbers_come_with_their_reason():
    text = html(build(*example()), "t")
    skipped = re.search(r'<td class="attn-missing">.*?</td>', text)
    assert skipped is not None
    letter = re.search(r'skipped</span><sup><a href="#t-(\w)">', skipped[0])
    assert letter is not None
    assert f'<div id="t-{letter[1]}"><dt>[{letter[1]}]</dt><dd>half is too few</dd></div>' in text


def test_baselines_have_a_table_body_of_their_own():
    _, rows, baselines = html(build(*example())).split("<tbody")
    assert rows.startswith(' class="attn-rows">')
    assert baselines.startswith(' class="attn-baselines">')
    assert baselines.count("<tr") == 2


def test_a_cell_carries_its_number_in_full():
    grid = build(*example())
    values = [float(each) for each in re.findall(r'<td [^>]*data-value="([^"]*)"', html(grid))]
    summaries = [entry.summary for row in grid.rows for entry in row.entries]
    assert values == [each.mean for each in summaries if each]


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else():
    page = render([hostile(), build(*by_heads())], "html")
    found = parsed(page)
    assert set(found.tags) <= TAGS | PAGE
    assert page.count("<style>") == 1
    style = page.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'default-src[^"]*', page)[0]
    assert policy.startswith("default-src 'none'; style-src 'sha256-" + digest + "';")
    assert not re.search(r"url\(|@import|https?:", style)
    assert "prefers-color-scheme: dark" in style
