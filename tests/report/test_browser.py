"""The page in a real browser: quiet, usable by mouse and keyboard, accessible, printable."""

from __future__ import annotations

import pytest

from .browser import Opened, launched

try:
    # The extra `browser` has them.
    from axe_playwright_python.sync_playwright import Axe  # pyright: ignore[reportMissingImports]
    from playwright.sync_api import expect  # pyright: ignore[reportMissingImports]
except ImportError:  # `launched` says so, and skips
    Axe = expect = None

pytestmark = pytest.mark.browser
FIRST = "#table-1 .attn-rows tr > th"  # the rows of the first table, in the order shown
REFUSE = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }"
BASELINES = "#table-1 .attn-baselines tr > th"


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory, html, nasty_html):
    folder = tmp_path_factory.mktemp("pages")
    for name, text in (("plain", html), ("nasty", nasty_html)):
        (folder / f"{name}.html").write_text(text, "utf-8")
    return folder


@pytest.fixture
def opened(browser, files):
    """Opens a page; at the end nothing may have been said, thrown or asked for."""
    pages = []

    def open(name="plain", **options):
        file = files / f"{name}.html"
        pages.append((Opened(browser, file, **options), file))
        return pages[-1][0].page

    yield open
    for page, file in pages:
        page.check(file)
        page.context.close()


def labels(page, where=FIRST):
    return [each.split(" (")[0] for each in page.locator(where).all_inner_texts()]


def values(page):
    cells = page.locator("#table-1 .attn-rows tr > td:nth-child(2)").all()
    return [cell.get_attribute("data-value") for cell in cells]


def test_sorting_by_mouse_goes_down_up_and_back(opened):
    page = opened()
    written = ["unscaled", "1/sqrt(D)", "1/D", "half"]
    means = dict(zip(written, map(float, values(page)), strict=True))
    # By hand: the means of the three others are .73 but for rounding, that of "unscaled" is less.
    assert means == pytest.approx(dict(zip(written, (0.7057142857, 0.73, 0.73, 0.73), strict=True)))
    head = page.locator("#table-1 thead th", has_text="SST-2")
    button = head.locator("button")
    assert labels(page) == written
    assert head.get_attribute("aria-sort") == "none"
    for order, expected in (
        ("descending", sorted(written, key=lambda row: -means[row])),
        ("ascending", sorted(written, key=lambda row: means[row])),
        ("none", written),
    ):
        button.click()
        assert head.get_attribute("aria-sort") == order
        assert labels(page) == expected
        # The baselines are sorted among themselves and stay below.
        baselines = ["TF-IDF + logistic regression", "Majority class"]
        assert labels(page, BASELINES) == (baselines if order == "descending" else baselines[::-1])
        assert labels(page, "#table-1 tbody tr > th") == [*expected, *labels(page, BASELINES)]


def test_what_has_no_number_stays_last_both_ways(opened):
    page = opened()
    button = page.locator("#table-1 thead th", has_text="TREC-6").locator("button")
    for _ in range(2):
        button.click()
        assert labels(page)[-1] == "half"  # skipped on TREC-6


def test_parameters_are_sorted_as_numbers(opened):
    page = opened()
    page.locator("#table-1 thead th", has_text="parameters").locator("button").click()
    shown = page.locator("#table-1 .attn-rows .attn-parameters").all_inner_texts()
    assert shown == ["41k–75k", "41k–75k", "41k–75k", "41k"]


def test_everything_works_by_keyboard_and_is_said(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    head = page.locator("#table-1 thead th", has_text="SST-2")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    expect(page.get_by_role("status")).to_have_text("Sorted by SST-2, descending")
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "refused"])
def test_copying_copies_the_whole_source_and_says_so(opened, allowed):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    if not allowed:  # as a browser does that gives a page from a file no clipboard
        page.evaluate(REFUSE)
    for name in ("LaTeX", "Markdown", "CSV"):
        button = page.locator(".result").first.get_by_role("button", name=f"Copy table as {name}")
        page.evaluate("document.getElementById('said').textContent = ''")
        button.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_have_text("Copied")
        source = page.locator("#" + (button.get_attribute("data-copies") or ""))
        assert page.evaluate("navigator.clipboard.readText()") == source.text_content()
        assert len(source.text_content() or "") > 500
        assert page.evaluate("document.activeElement.textContent").endswith(name)


def test_where_nothing_can_be_copied_the_source_is_shown(opened):
    page = opened()
    page.evaluate("() => { document.execCommand = () => false; }")
    page.evaluate(REFUSE)
    page.locator(".copies button").first.click()
    expect(page.get_by_role("status")).to_contain_text("did not allow copying")
    assert page.locator("pre.source:visible").count() == 1


def test_hostile_texts_stay_text(opened):
    page = opened("nasty")
    page.locator("#table-1 thead button").first.click()
    for each in page.locator("details summary").all():
        each.click()
    assert page.evaluate("window.pwned") is None
    assert page.locator("script").count() == 1
    assert page.locator("img, iframe, object, embed, form, a:not([href^='#'])").count() == 0
    handlers = "e => [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')"
    assert page.evaluate(f"[...document.querySelectorAll('*')].filter({handlers}).length") == 0
    assert "<script>window.pwned=1</script>" in page.locator("h1").inner_text()
    assert "<script>window.pwned=1</script>" in page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, scheme):
    page = opened(color_scheme=scheme)
    page.locator("#table-1 thead button").first.click()
    page.locator("details summary").first.click()
    page.evaluate("document.querySelector('pre.source').hidden = false")
    # The strokes of a picture are read out as one image; there are thousands of them.
    outside = {"exclude": [[".picture svg > *"], [".letters"]]}
    found = Axe().run(page, context=outside).response["violations"]
    assert [
        (each["id"], node["html"][:200], node["failureSummary"])
        for each in found
        for node in each["nodes"]
    ] == []


@pytest.mark.parametrize("name", ["plain", "nasty"])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(opened, name):
    page = opened(name, viewport={"width": 320, "height": 640})
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    wide = "e => e.scrollWidth > e.clientWidth"
    assert page.evaluate(f"[...document.querySelectorAll('.attn-scroll')].some({wide})")


def test_on_paper_nothing_is_hidden_by_scrolling_or_folding(opened):
    page = opened()
    assert len(page.pdf(format="A4")) > 10_000
    page.emulate_media(media="print")
    assert not page.locator(".contents").is_visible()
    assert not page.locator(".copies").first.is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    scroll = page.locator(".attn-scroll").first
    assert scroll.evaluate("e => getComputedStyle(e).overflow") == "visible"
    assert scroll.evaluate("e => getComputedStyle(e).maxHeight") == "none"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_without_script_the_page_reads_the_same(opened):
    page = opened(java_script_enabled=False)
    assert labels(page) == ["unscaled", "1/sqrt(D)", "1/D", "half"]
    assert not page.locator(".copies").first.is_visible()
    assert page.locator("thead button").count() == 0
