"""The registry: complete, instant, and kind to a typing error."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from attn_nlp.data import SOURCES, check_dataset, sources
from attn_nlp.errors import UserError

HEAVY = ("datasets", "tokenizers", "sklearn", "pandas", "pyarrow", "scipy", "jax", "matplotlib")


def test_listing_and_checking_load_nothing_heavy():
    code = (
        "import sys; from attn_nlp.data import sources, check_dataset\n"
        "sources(); check_dataset('sst2'); check_dataset('owner/name')\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("source", sources(), ids=lambda s: s.name)
def test_every_entry_is_complete(source):
    assert source.label
    assert source.language
    assert source.license
    assert source.note
    assert source.real == (source.language != "synthetic")
    assert source.cite or not source.real
    assert source.embedded == (source.make is not None)
    assert (
        source.embedded
        or source.labels
        or source.name
        in {
            "trec50",
            "banking77",
            "clinc150",
            "clinc_oos_plus",
        }
    ), "give the class names, or let the data files declare them"
    for score in source.published:
        assert 0 < score.accuracy < 1
        assert score.cite
        assert score.protocol
    facts = json.loads(json.dumps(source.facts()))
    assert facts["name"] == source.name
    assert facts["labels"] == list(source.labels)


def test_the_planted_tasks_come_first_and_names_are_unique():
    assert [s.name for s in sources()][:4] == [
        "planted_lookup",
        "planted_keyword",
        "planted_negation",
        "docstrings",
    ]
    assert len(SOURCES) == len(sources()) == 23


def test_good_names_pass(tmp_path):
    (tmp_path / "a.csv").touch()
    for name in ("sst2", "owner/name", "owner/na.me-1:con_fig", str(tmp_path)):
        check_dataset(name)
    check_dataset(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sst-2", "unknown dataset 'sst-2'; known: .* Did you mean 'sst2'"),
        ("planted_lokup", "Did you mean 'planted_lookup'"),
        ("", "unknown dataset ''"),
        ("a/b/c", "unknown dataset 'a/b/c'"),
        ("owner/na me", "unknown dataset"),
        ("./none", "no such file or folder"),
        ("none.csv", "no such file or folder"),
        ("/none/at/all", "no such file or folder"),
        ("a\0b", "unknown dataset"),
    ],
)
def test_bad_names_are_rejected(name, said):
    with pytest.raises(UserError, match=said):
        check_dataset(name)


def test_a_file_of_another_kind_is_rejected(tmp_path):
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(UserError, match=r"is a \.xlsx file; a file must be one of \.parquet"):
        check_dataset(str(tmp_path / "a.xlsx"))
