"""One dataset has one spelling, whatever of it stands where."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import Cell, vary
from attn_nlp.experiment.data_names import ENDINGS, spelled
from attn_nlp.experiment.identity import spec_of
from attn_nlp.experiment.load import Overrides, apply


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with folders in it and beside it."""
    for folder in ("project/sub/deep", "project/k", "project/owner/name", "other/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "project/link").symlink_to(tmp_path / "other/deep")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "project"


@pytest.mark.parametrize(
    "written",
    ["d.csv", "./d.csv", ".//d.csv", "sub/../d.csv", "{here}/d.csv", "{here}/sub/../d.csv",
     "{here}//d.csv", "~/project/d.csv", "../project/d.csv", "{here}/../project/d.csv"],
)  # fmt: skip
def test_one_file_is_one_cell(here, written):
    cell = Cell(dataset=written.format(here=here))
    assert cell.dataset == "d.csv"
    assert spec_of(cell) == spec_of(Cell(dataset="d.csv"))
    assert spelled(cell.dataset) == cell.dataset


@pytest.mark.parametrize("written", ["k", "k/", "./k", "k/.", "{here}/k", "{here}/k/", "sub/../k"])
def test_one_folder_is_one_dataset(here, written):
    assert spelled(written.format(here=here)) == "k"


@pytest.mark.parametrize("written", ["./trec6", "trec6/", "{here}/trec6", Path("trec6")])
def test_a_folder_is_not_taken_for_the_registered_name(here, written):
    written = written.format(here=here) if isinstance(written, str) else written
    assert spelled(written) == "./trec6"
    assert spelled("./trec6") == "./trec6"
    assert spelled("trec6") == "trec6"


@pytest.mark.parametrize("written", ["./owner/name", "owner/name/", "{here}/owner/name"])
def test_a_folder_is_not_taken_for_a_hub_id(here, written):
    assert spelled(written.format(here=here)) == "./owner/name"
    assert spelled("owner/name") == "owner/name"
    assert spelled("owner/name:config") == "owner/name:config"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("sub//deep/./d.csv", "sub/deep/d.csv"),
        ("sub/deep/reviews/", "sub/deep/reviews"),
        ("../other//d.csv", "../other/d.csv"),
        ("{here}/../other/d.csv", "{above}/other/d.csv"),
        ("~//other/d.csv", "~/other/d.csv"),
        ("link/d.csv", "link/d.csv"),
        ("{here}/link/d.csv", "link/d.csv"),
        ("link/../d.csv", "link/../d.csv"),  # in the folder that the link leads into
        (".", "."),
        ("{here}", "."),
        ("{here}beside/d.csv", "{here}beside/d.csv"),
        ("sst2", "sst2"),
    ],
)
def test_other_places_and_links_stay_what_they_are(here, written, kept):
    places = {"here": here, "above": here.parent}
    found = spelled(written.format(**places))
    assert found == kept.format(**places)
    assert spelled(found) == found


def test_a_working_directory_reached_by_a_link_is_the_same(here, monkeypatch):
    (here.parent / "short").symlink_to(here)
    monkeypatch.chdir(here.parent / "short")
    assert spelled(str(here.parent / "short" / "d.csv")) == "d.csv"
    assert spelled(str(here / "d.csv")) == "d.csv"


def test_without_a_working_directory_a_path_is_still_a_path(here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    assert spelled("./d.csv") == "d.csv"
    monkeypatch.chdir(here)


def test_a_file_that_is_named_twice_is_run_once(here):
    with pytest.raises(UserError, match=r"{'dataset': 'd\.csv'} is listed twice"):
        vary("dataset", "d.csv", "./d.csv")
    experiment = _experiment()
    changed = apply(experiment, Overrides(datasets=["./d.csv", "d.csv", str(here / "d.csv")]))
    assert changed.base.dataset == "d.csv"


def _experiment():
    from attn_nlp.experiment import Experiment, Table

    return Experiment(base=Cell(), axes=[vary("heads", 1, 2)], tables=[Table("T", "heads")])


def test_files_are_told_by_the_endings_that_are_read():
    from attn_nlp.data.registry import FILE_KINDS

    assert set(ENDINGS) == set(FILE_KINDS)
