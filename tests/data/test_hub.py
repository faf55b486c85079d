"""The Hub's path, against a server on this machine; the loader in a process of its own."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .fake_hub import SHA, FakeHub

LOADER = """
import json, sys
from pathlib import Path
from attn_nlp.data import DataSettings, prepare_dataset
from attn_nlp.errors import UserError
try:
    p = prepare_dataset(DataSettings(sys.argv[1]), Path(sys.argv[2]))
    answer = {"names": p.class_names, "splits": p.splits, "fingerprint": p.fingerprint,
              "source": p.facts["source"], "texts": p.texts("test"), "name": p.name}
except UserError as mistake:
    answer = {"mistake": str(mistake)}
print(json.dumps(answer))
"""


def load(endpoint: str, home: Path, name: str, **environment: str) -> dict:
    """Prepare `name` from the Hub at `endpoint` in a fresh process."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ATTN_NLP"))}
    env |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "*", **environment}
    env["PYTHONWARNINGS"] = "ignore"
    done = subprocess.run(
        [sys.executable, "-c", LOADER, name, str(home / "prepared")],
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=home.parent,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def parquet(texts: list[str], labels: list[int], names: list[str]) -> bytes:
    """A parquet file with a ClassLabel column."""
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
    )
    table = datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)
    table.to_parquet(buffer := io.BytesIO())
    return buffer.getvalue()


@pytest.fixture
def files() -> dict[str, bytes]:
    """A small dataset, label names in an order of their own."""
    train = [f"word{i} {'ja' if i % 2 else 'nee'}" for i in range(40)]
    return {
        "data/train-00000-of-00001.parquet": parquet(
            train, [i % 2 for i in range(40)], ["nee", "ja"]
        ),
        "data/test-00000-of-00001.parquet": parquet([" NA ", "ja ja"], [0, 1], ["nee", "ja"]),
    }


def test_a_hub_dataset_loads_then_works_offline(files, tmp_path):
    with FakeHub("owner/name", files) as hub:
        online = load(hub.endpoint, tmp_path / "home", "owner/name")
        assert online.get("mistake") is None, hub.asked
        before = len(hub.asked)
        offline = load(hub.endpoint, tmp_path / "home", "owner/name", HF_HUB_OFFLINE="1")
        assert len(hub.asked) == before
    assert online["names"] == ["nee", "ja"]
    assert online["texts"] == ["NA", "ja ja"]
    assert online["splits"] == {"train": [0, 36], "validation": [36, 40], "test": [40, 42]}
    assert online["source"] == f"Hub owner/name@{SHA}"
    assert offline == online


def test_an_unknown_repository_is_one_sentence(files, tmp_path):
    with FakeHub("owner/name", files) as hub:
        answer = load(hub.endpoint, tmp_path / "home", "owner/other")
    assert "cannot load 'owner/other' from the Hub" in answer["mistake"]
    assert "\n" not in answer["mistake"]


def test_a_script_repository_is_never_run(files, tmp_path):
    trap = tmp_path / "ran"
    script = f"open({str(trap)!r}, 'w')\n".encode()
    with FakeHub("owner/name", {"name.py": script}) as hub:
        answer = load(hub.endpoint, tmp_path / "home", "owner/name")
    assert "scripts are no longer supported" in answer["mistake"]
    assert not trap.exists()


def test_a_closed_port_is_refused_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    answer = load(f"http://127.0.0.1:{port}", tmp_path / "home", "sst2")
    assert answer["mistake"].startswith("cannot reach the Hub for 'SetFit/sst2' (")
    for way_out in ("HF_HUB_OFFLINE=1", "ATTN_NLP_DATA", "local file"):
        assert way_out in answer["mistake"]


def test_offline_without_a_copy_names_the_ways_out(tmp_path):
    answer = load("http://127.0.0.1:9", tmp_path / "home", "sst2", HF_HUB_OFFLINE="1")
    assert "SetFit/sst2" in answer["mistake"]
    assert "ATTN_NLP_DATA" in answer["mistake"]


def test_a_busy_hub_is_unreachable(files, tmp_path):
    with FakeHub("owner/name", files, fault="503") as hub:
        answer = load(hub.endpoint, tmp_path / "home", "owner/name")
    assert "status 503" in answer["mistake"]


def test_a_download_cut_midway_is_one_sentence_and_the_cache_heals(files, tmp_path):
    with FakeHub("owner/name", files, fault="cut") as hub:
        cut = load(hub.endpoint, tmp_path / "home", "owner/name")
        assert any(asked.startswith("GET /datasets/owner/name/resolve/") for asked in hub.asked)
        hub.fault = ""
        whole = load(hub.endpoint, tmp_path / "home", "owner/name")
    assert "cannot load 'owner/name' from the Hub: " in cut["mistake"]
    assert "HF_HUB_OFFLINE=1" in cut["mistake"]
    assert "\n" not in cut["mistake"]
    assert whole.get("mistake") is None
    assert whole["texts"] == ["NA", "ja ja"]


def test_a_silent_hub_is_given_up_within_ten_seconds():
    from attn_nlp.data.hub import DEADLINE_SECONDS, why_unreachable

    assert DEADLINE_SECONDS < 10  # what is asked of the user's patience
    with FakeHub("owner/name", {}, fault="silent") as hub:
        begun = time.monotonic()
        reason = why_unreachable(f"{hub.endpoint}/api/datasets/owner/name", seconds=0.5)
        waited = time.monotonic() - begun
    assert reason is not None
    assert waited < 9  # 0.5 s asked for; the margin is for a loaded machine


def test_any_answer_below_500_counts_as_reached(files):
    from attn_nlp.data.hub import why_unreachable

    with FakeHub("owner/name", files) as hub:
        assert why_unreachable(f"{hub.endpoint}/api/datasets/owner/other") is None
