"""Docstrings of experiment files, the shipped ones and stranger ones."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from attn_nlp.report.statement import statement

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("*.py"))


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_the_shipped_experiments_say_question_prediction_and_protocol(file):
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    found = statement(docstring or "")
    assert found.title.endswith("?")
    assert "\n" not in found.title
    names = [section.name for section in found.sections]
    assert names[:3] == ["Question", "Prediction", "Protocol"]
    assert set(names) <= {"Question", "Prediction", "Protocol", "Cost", "Outcome"}
    words = " ".join(" ".join(section.paragraphs) for section in found.sections)
    for name in names:
        assert f"{name}. " not in words
    assert all(each.date for each in found.sections if each.name == "Outcome")
    # Nothing of the docstring is lost or told twice.
    said = f"{found.title} " + " ".join(
        f"{each.name}{each.date and f' ({each.date})'}. {' '.join(each.paragraphs)}"
        for each in found.sections
    )
    assert said.split() == (docstring or "").split()


def test_paragraphs_of_a_section_come_apart_at_empty_lines():
    found = statement("Why?\n\nQuestion. One\n    two.\n\n    Three.\nOutcome. Four.\n")
    assert [(each.name, each.paragraphs) for each in found.sections] == [
        ("Question", ("One two.", "Three.")),
        ("Outcome", ("Four.",)),
    ]


def test_a_docstring_of_another_form_is_shown_as_it_is():
    found = statement("A title\nover two lines.\n\nSome text.\n\nMore. And more.\n")
    assert found.title == "A title over two lines."
    assert [(each.name, each.paragraphs) for each in found.sections] == [
        ("", ("Some text.", "More. And more."))
    ]


def test_a_word_of_one_s_own_may_head_what_is_indented_below_it():
    found = statement(
        "Why?\n\nBackground. Long ago\n            it began.\n\nAt the margin again.\n"
    )
    assert [(each.name, each.paragraphs) for each in found.sections] == [
        ("Background", ("Long ago it began.",)),
        ("", ("At the margin again.",)),
    ]


def test_a_docstring_may_begin_with_a_section_or_be_empty():
    assert statement("Question. Why?").title == ""
    assert statement("Question. Why?").sections[0].paragraphs == ("Why?",)
    assert statement("") == statement("\n \n")
    assert statement("").sections == ()
