"""Names of our own variables."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import attn_nlp
from attn_nlp.variables import _OF_TESTS, KNOWN, blamed, unknown


def test_a_slip_is_said_with_the_nearest_name():
    assert unknown(["ATTN_NLP_STROE"]) == [
        "ATTN_NLP_STROE is set, but no such variable is read; did you mean ATTN_NLP_STORE?"
    ]
    (said,) = unknown(["ATTN_NLP_"])
    assert said.startswith("ATTN_NLP_ is set, but no such variable is read; ")
    assert unknown([*KNOWN, *_OF_TESTS, "HOME", "attn_nlp_x"]) == []


def test_whatever_is_read_is_known():
    root = Path(attn_nlp.__file__).parent
    text = "".join(path.read_text("utf-8") for path in root.rglob("*.py"))
    read = set(re.findall(r"(?<!_)ATTN_NLP_[A-Z_]*[A-Z]", text)) - {"ATTN_NLP_CASHE"}
    assert read == KNOWN.keys() | _OF_TESTS


def test_a_library_that_cannot_be_imported_with_a_variable_is_one_line(tmp_path, monkeypatch):
    """Only what is raised while a library is imported, and only a variable whose value it says."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    text = "import os\n\nSECONDS = int(os.environ['LIBRARY_SECONDS'])\n"
    (folder / "a_library.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("LIBRARY_SECONDS", "abc")
    with pytest.raises(ValueError, match="abc") as found:
        import_module("a_library")
    given = {"LIBRARY_SECONDS": "abc", "HOME": "/", "EMPTY": "", "ONE": "1"}
    assert blamed(found.value, given) == (
        "a library cannot be imported with LIBRARY_SECONDS='abc': invalid literal for int() with "
        "base 10: 'abc'; correct or unset it."
    )
    assert blamed(found.value, {"HOME": "/"}) is None
    with pytest.raises(ValueError, match="abc") as found:
        int("abc")
    assert blamed(found.value, given) is None
