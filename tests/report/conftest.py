"""The example's report, made once, with texts as if its data were at hand."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from attn_nlp.report import Report, page

from .example import NASTY, TEXTS, sample


def _made(nasty: str = "") -> Report:
    texts = [NASTY] * len(TEXTS) if nasty else TEXTS
    with patch("attn_nlp.report.wrong.kept_texts", lambda fingerprint, folder: texts):
        return sample(nasty)


@pytest.fixture(scope="session")
def plain() -> Report:
    """The report of the example."""
    return _made()


@pytest.fixture(scope="session")
def html(plain: Report) -> str:
    """Its page."""
    return page(plain)


@pytest.fixture(scope="session")
def nasty_html() -> str:
    """The page of the same experiment with hostile texts everywhere."""
    return page(_made(NASTY))
