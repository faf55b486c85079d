"""Docstrings: real, unseen in two splits, without the answer in the text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attn_nlp.data import docstrings as source
from attn_nlp.data.docstrings import (
    ENOUGH,
    LIBRARIES,
    MOST_OF_A_FILE,
    docstrings_of,
    first_sentence,
    is_prose,
    module_files,
    same,
    versions,
)
from attn_nlp.data.files import read_columns

COLLECTING = """
import hashlib, sys
from attn_nlp.data import docstrings
for name in set(docstrings.LIBRARIES) - {"orbax", "huggingface_hub"}:
    del docstrings.LIBRARIES[name]
rows = docstrings.collect()
print(len(rows["text"]), hashlib.sha256(repr(rows).encode()).hexdigest(), "orbax" in sys.modules)
"""


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Add two numbers.  Then stop.", "Add two numbers."),
        ("Add :func:`a` to\n``b`` and *c*\n\nMore.", "Add a to b and c"),
        ("Version 1.5 of it is out. More", "Version 1.5 of it is out."),
        ("", ""),
    ],
)
def test_first_sentence(docstring, sentence):
    assert first_sentence(docstring) == sentence


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("Return the sum of items.", True),
        ("Return the sum.", False),
        ("f(x, y[, z]) -> {a: b} | None == 1", False),
        ("Return the sum as NumPy would.", False),
        ("Convert a jaxpr to something else.", False),
        ("An estimator of scikit-learn for tests.", False),
    ],
)
def test_prose_that_names_no_class(sentence, kept):
    assert is_prose(sentence) is kept


def test_docstrings_are_read_without_running_the_file(tmp_path):
    file = tmp_path / "m.py"
    file.write_text(
        '"""Module."""\nraise SystemExit\nclass A:\n    """Class."""\n    def f(self):\n'
        '        """Method."""\n        def g():\n            """Inner."""\n'
        'if True:\n    def h():\n        "Branch."\n'
    )
    assert list(docstrings_of(file)) == ["Module.", "Class.", "Method.", "Inner.", "Branch."]
    file.write_text("not python (")
    assert list(docstrings_of(file)) == []


def test_enough_classes_and_sentences(docstrings):
    assert docstrings.class_names == tuple(sorted(LIBRARIES))
    assert len(docstrings.class_names) >= 6
    assert len(docstrings.ids) >= 8_000
    for split in ("train", "validation", "test"):
        facts = docstrings.facts["splits"][split]
        assert min(facts["class_counts"]) >= 100
        assert facts["majority_share"] < 0.2
    assert np.bincount(docstrings.labels).max() < ENOUGH + MOST_OF_A_FILE


def test_no_sentence_occurs_twice_or_names_a_class(docstrings):
    texts = [text for split in docstrings.splits for text in docstrings.texts(split)]
    assert len({same(text) for text in texts}) == len(texts)
    for text in texts:
        lower = text.lower()
        assert not any(name in lower for name in LIBRARIES)
        assert "sklearn" not in lower


def test_no_file_is_in_two_splits(docstrings):
    (kept,) = Path(docstrings.path).parent.glob("docstrings-*.parquet")
    columns = read_columns(kept)
    where = dict(zip(columns["text"], columns["module"], strict=True))
    assert sum(len(docstrings.texts(split)) for split in docstrings.splits) == len(where)
    files = {
        split: {where[text] for text in docstrings.texts(split)} for split in docstrings.splits
    }
    assert not files["train"] & files["validation"]
    assert not files["train"] & files["test"]
    assert not files["validation"] & files["test"]
    assert min(map(len, files.values())) >= 5 * len(LIBRARIES)


def test_the_facts_name_every_version(docstrings):
    assert docstrings.facts["versions"] == versions()
    assert set(versions()) == set(LIBRARIES)
    assert docstrings.facts["source"] == "installed packages"
    assert docstrings.facts["real"] is docstrings.facts["embedded"] is True


def test_two_processes_read_the_same_and_import_nothing():
    answers = []
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", COLLECTING],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout.split())
    assert answers[0] == answers[1]
    assert answers[0][2] == "False"
    assert int(answers[0][0]) > 1_000


def test_tests_and_vendored_copies_are_no_modules():
    names = [name for name, _ in module_files("scipy")]
    assert names == sorted(names)
    assert "scipy/linalg/_basic.py" in names
    assert not any("/tests/" in name for name in names)


def test_only_core_dependencies_are_read():
    """Every library is asked for by our core, or comes with something that is."""
    from importlib.metadata import requires
    from re import match

    core, waiting = set(), ["jax", "flax", "optax", "datasets", "tokenizers", "matplotlib"]
    waiting += ["scikit-learn", "scipy", "numpy"]
    while waiting:
        name = waiting.pop()
        if name in core:
            continue
        core.add(name)
        for line in requires(name) or []:
            if "extra ==" not in line and ";" not in line:
                waiting.append(match(r"[\w.-]+", line)[0].lower().replace("_", "-"))
    assert {dist for dist, _ in LIBRARIES.values()} <= core


@pytest.mark.parametrize("place", [40, -1])
@pytest.mark.parametrize("ending", [".parquet", ".sha256"])
def test_kept_sentences_that_were_changed_are_read_anew(tmp_path, monkeypatch, place, ending):
    splits = ["train", "validation", "test"]
    rows = {"text": list("abc"), "label": ["jax"] * 3, "split": splits, "module": list("mno")}
    read = []
    monkeypatch.setattr(source, "collect", lambda: read.append(1) or rows)
    first = source.docstrings(tmp_path)
    assert source.docstrings(tmp_path) == first
    assert len(read) == 1
    (file,) = tmp_path.glob(f"docstrings-*{ending}")
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert source.docstrings(tmp_path) == first
    assert len(read) == 2
