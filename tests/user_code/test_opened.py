"""Which files are data of the user's, wherever the project and its caches are."""

from __future__ import annotations

import sys

import pytest

from tests.user_code.test_hashing import folder, specs, write  # noqa: F401  a fixture

DATA = "import pathlib\n(pathlib.Path(__file__).parent / '{}').read_text()"


@pytest.mark.parametrize(
    ("file", "variables", "counts"),
    [
        ("w.npy", {"ATTN_NLP_CACHE": "."}, True),
        ("data/w.npy", {"ATTN_NLP_CACHE": "."}, True),
        ("data/w.npy", {"ATTN_NLP_CACHE": "data"}, True),
        ("data/made-0123456789abcdef/texts.parquet", {"ATTN_NLP_CACHE": "."}, False),
        ("xla/x86/f-cache", {"ATTN_NLP_CACHE": "."}, False),
        ("w.npy", {"XDG_CACHE_HOME": "."}, True),
        ("huggingface/w.npy", {"XDG_CACHE_HOME": "."}, False),
        ("cache/w.npy", {"XDG_CACHE_HOME": "cache"}, False),
        ("w.npy", {"JAX_COMPILATION_CACHE_DIR": "."}, True),
        ("jit_f-0123-cache", {"JAX_COMPILATION_CACHE_DIR": "."}, False),
    ],
)
def test_of_a_cache_that_the_code_is_in_only_what_it_contains_is_no_data(
    folder,  # noqa: F811
    monkeypatch,
    file,
    variables,
    counts,
):
    for name, path in variables.items():
        monkeypatch.setenv(name, str(folder / path))
    write(folder, {file: "1"})
    top = DATA.format(file)
    before = specs(folder, top)
    write(folder, {file: "2"})
    assert (specs(folder, top) != before) is counts


@pytest.mark.parametrize(
    ("project", "file", "counts"),
    [
        (".worktrees/p", "data/w.npy", True),
        (".worktrees/p", ".hidden/w.npy", False),
        (".worktrees/p", "../../.other/w.npy", False),
        ("p", "../.config/w.npy", False),
        ("p/.venv/share", "../../w.npy", True),
    ],
)
def test_what_is_hidden_from_the_code_is_no_data(folder, project, file, counts):  # noqa: F811
    write(folder / project, {file: "1", "exp/x": ""})
    top = DATA.format(f"../{file}")
    before = specs(folder / project / "exp", top)
    write(folder / project, {file: "2"})
    assert (specs(folder / project / "exp", top) != before) is counts


def test_the_root_of_an_environment_may_be_a_project(folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sys, "prefix", str(folder))
    write(folder, {"data/w.npy": "1", "lib/w.npy": "1", "exp/x": ""})
    top = f"{DATA.format('../data/w.npy')}\n{DATA.format('../lib/w.npy')}"
    found = [specs(folder / "exp", top)]
    for changed in ("lib", "data"):
        write(folder, {f"{changed}/w.npy": "2"})
        found.append(specs(folder / "exp", top))
    assert found[0] == found[1] != found[2]


def test_a_project_may_be_in_a_system_folder(folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr("attn_nlp.user_code.opened._SYSTEM", (str(folder),))
    write(folder, {"p/data/w.npy": "1", "w.npy": "1", "p/exp/x": ""})
    top = f"{DATA.format('../data/w.npy')}\n{DATA.format('../../w.npy')}"
    found = [specs(folder / "p" / "exp", top)]
    for changed in ("w.npy", "p/data/w.npy"):
        write(folder, {changed: "2"})
        found.append(specs(folder / "p" / "exp", top))
    assert found[0] == found[1] != found[2]
