"""Wrapping: nothing is lost, nothing is too wide."""

from hypothesis import given, settings
from hypothesis import strategies as st

from attn_nlp.figures import drawing
from attn_nlp.figures.drawing import PAD_X, Text, height_of, stacked, width_of, wrap


@settings(deadline=None, max_examples=60)
@given(
    content=st.text("abc xyz,()[]_=+*\n", max_size=120),
    width=st.floats(60, 300),
    mono=st.booleans(),
)
def test_wrapping_keeps_every_letter_and_fits(content, width, mono):
    lines = wrap([Text(content, mono=mono)], width)
    assert "".join("".join(line.content for line in lines).split()) == "".join(content.split())
    assert all(width_of(line) <= width - 2 * PAD_X + 1e-6 for line in lines)


def test_a_long_word_is_measured_in_pieces(monkeypatch):
    """And not the whole rest for every line, which takes minutes for a label of 20,000 letters."""
    measured = []
    monkeypatch.setattr(
        drawing, "width_of", lambda text: measured.append(text) or len(text.content)
    )
    lines = wrap([Text("x" * 20_000)], 100 + 2 * PAD_X)
    assert {len(line.content) for line in lines} == {100}
    assert sum(len(text.content) for text in measured) < 20 * 20_000


def test_code_below_is_indented_and_formulas_side_by_side_come_apart():
    lines = wrap([Text("a[t] = b[t] + c[t],  d[t] = e[t] + f[t]", mono=True)], 130)
    assert [line.content for line in lines] == ["a[t] = b[t] + c[t],", "d[t] = e[t] + f[t]"]
    lines = wrap([Text("  result = first + second + third", mono=True)], 100)
    assert [line.content[:4].count(" ") for line in lines][:2] == [2, 4]


def test_code_shrinks_a_little_before_it_breaks():
    text = Text("x" * 40, 8.0, mono=True)
    wide = width_of(text) + 2 * PAD_X
    assert [line.size for line in wrap([text], wide)] == [8.0]
    assert [line.size for line in wrap([text], wide * 0.95)] == [7.5]
    assert len(wrap([text], wide * 0.5)) > 1


def test_a_box_is_as_high_as_its_lines():
    box = stacked(0, 0, 100, [Text("one two three four five six seven eight nine ten")])
    assert len(box.lines) > 1
    assert box.height == height_of(box.lines)
