"""Where the tests find data: real sets where this machine has them, made ones everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attn_nlp.data import DataSettings, Prepared, prepare_dataset


def real_data_folder() -> Path | None:
    """The folder of real sets: $ATTN_NLP_DATA, or shared/datasets beside the checkout."""
    beside = Path(__file__).parents[3] / "shared" / "datasets"
    for folder in (os.environ.get("ATTN_NLP_DATA"), beside):
        if folder and Path(folder, "sst2", "train.parquet").is_file():
            return Path(folder)
    return None


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of real sets, made known to the loader; skips without one.

    With "data" in $ATTN_NLP_REQUIRE, absence is a failure.
    """
    folder = real_data_folder()
    if folder is None:
        reason = "no real datasets: set ATTN_NLP_DATA to a folder that holds sst2/train.parquet"
        if "data" in os.environ.get("ATTN_NLP_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    monkeypatch.setenv("ATTN_NLP_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of prepared datasets shared by all tests of the session."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="session")
def docstrings(kept: Path) -> Prepared:
    """The docstrings dataset of this environment."""
    return prepare_dataset(DataSettings("docstrings"), kept)


@pytest.fixture(scope="session")
def lookup(kept: Path) -> Prepared:
    """The planted lookup task."""
    return prepare_dataset(DataSettings("planted_lookup"), kept)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every request that slips through to a closed port of this machine."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
