"""Names of our own variables."""

from __future__ import annotations

import re
from pathlib import Path

import attn_nlp
from attn_nlp.variables import _OF_TESTS, KNOWN, unknown


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
    read = set(re.findall(r"ATTN_NLP_[A-Z_]*[A-Z]", text)) - {"ATTN_NLP_CASHE"}
    assert read == KNOWN.keys() | _OF_TESTS
