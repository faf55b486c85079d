"""Preparing: the same rows give the same folder, whoever asks, however often."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attn_nlp.data import (
    SOURCES,
    DataSettings,
    kept_lengths,
    kept_texts,
    open_prepared,
    prepare,
    prepare_dataset,
)
from attn_nlp.data.digests import SUMS, note_sums
from attn_nlp.errors import UserError


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A file of 60 rows, one of them empty and one conflicting."""
    rows = [f'"good film number {i}",pos' for i in range(30)]
    rows += [f'"bad film number {i}",neg' for i in range(28)] + [",neg", '"good film number 3",neg']
    path = tmp_path / "films.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


def test_arrays_and_facts_of_a_small_file(csv, tmp_path):
    prepared = prepare_dataset(DataSettings(str(csv), length=3), tmp_path / "kept")
    assert prepared.name == "films.csv"
    assert prepared.class_names == ("neg", "pos")
    assert prepared.splits == {"train": (0, 49), "validation": (49, 54), "test": (54, 60)}
    assert prepared.ids.shape == (60, 3)
    assert prepared.edges == (3,)
    assert prepared.ids.dtype == prepared.lengths.dtype == prepared.labels.dtype == np.int32
    assert prepared.deciding is None
    assert prepared.lengths.min() >= 1
    facts = prepared.facts
    assert facts["conflicting_labels"] == 1
    assert sum(facts["duplicates"].values()) == 1
    assert sum(facts["splits"][s]["empty"] for s in prepared.splits) == 1
    assert sum(facts["splits"][s]["truncated"] for s in prepared.splits) == 59
    assert facts["source"] == "local file"
    assert facts["settings"]["length"] == 3
    assert facts["embedded"] is False
    assert str(tmp_path) not in json.dumps(facts)
    for split, (start, stop) in prepared.splits.items():
        texts = prepared.texts(split)
        assert len(texts) == stop - start
        ids, lengths = prepared.encode(texts)
        np.testing.assert_array_equal(ids, prepared.ids[start:stop, : ids.shape[1]])
        np.testing.assert_array_equal(lengths, prepared.lengths[start:stop])
    first = prepared.ids[0]
    assert prepared.tokens_of(first) == ["good", "film", "number"]


def test_texts_are_found_by_the_fingerprint_of_their_rows(csv, tmp_path):
    kept = tmp_path / "kept"
    prepared = prepare_dataset(DataSettings(str(csv), length=3), kept)
    prepare_dataset(DataSettings(str(csv), length=3, split_seed=1), kept)
    assert kept_texts(prepared.fingerprint, kept) == prepared.texts("test")
    assert kept_texts(prepared.fingerprint, kept, "train") == prepared.texts("train")
    assert kept_texts("0" * 64, kept) is None
    assert kept_texts(prepared.fingerprint, tmp_path / "nowhere") is None
    again = prepare_dataset(DataSettings(str(csv), length=4), kept)  # the same rows, other tokens
    assert again.fingerprint == prepared.fingerprint
    for first in (prepared, again):
        (first.path / "texts.parquet").write_bytes(b"")
        found = kept_texts(prepared.fingerprint, kept)
        assert found == (None if first is again else again.texts("test"))


def test_facts_name_the_classes_and_the_one_of_interest(csv, tmp_path):
    prepared = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    assert prepared.facts["class_names"] == ["neg", "pos"]
    assert prepared.facts["positive"] is prepared.positive is None
    marked = replace(prepared, facts=prepared.facts | {"positive": "pos"})
    assert marked.positive == 1
    assert SOURCES["sms_spam"].positive == "spam"
    named = [each for each in SOURCES.values() if each.positive]
    assert all(each.positive in each.labels for each in named)


def test_a_fold_other_than_0_needs_data_without_a_test_split(csv, tmp_path):
    kept = tmp_path / "kept"
    one, other = (prepare_dataset(DataSettings(str(csv), fold=fold), kept) for fold in (0, 7))
    assert one.fingerprint != other.fingerprint
    assert not set(one.texts("test")) & set(other.texts("test")) - {"good film number 3"}
    assert "fold 7 of 10" in other.facts["test_rule"]
    said = "dataset 'planted_lookup' has a test split of its own, so fold 7 does not apply"
    with pytest.raises(UserError, match=said):
        prepare_dataset(DataSettings("planted_lookup", fold=7), kept)


def test_names_that_look_alike_are_among_the_facts(csv, tmp_path):
    assert (
        "look_alike_labels" not in prepare_dataset(DataSettings(str(csv)), tmp_path / "kept").facts
    )
    csv.write_text(csv.read_text().replace('4",pos', '4",POS'))
    found = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    assert found.facts["look_alike_labels"] == ["'POS' and 'pos'"]


@pytest.mark.parametrize("trial", [False, True])
def test_what_a_fit_changes_of_its_data_is_its_own(csv, tmp_path, trial):
    prepared = prepare_dataset(DataSettings(str(csv), length=3), tmp_path / "kept")
    prepared = prepared.sealed() if trial else prepared
    given = prepared.apart()
    given.splits["train"] = (0, 5)
    given.facts["settings"]["length"] = 1
    assert prepared.splits["train"] == (0, 49)
    assert prepared.facts["settings"]["length"] == 3
    assert len(given.labels_of("train")) == 5
    with pytest.raises(UserError if trial else KeyError):
        given.splits["test" if trial else "tset"]
    for array in (given.ids, given.lengths, given.labels_of("train"), prepared.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0
    for array in (given.ids, given.lengths, given.labels):
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True


def test_sealed_data_has_no_test_split(csv, tmp_path):
    prepared = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    sealed = prepared.sealed()
    start, stop = prepared.splits["test"]
    assert set(sealed.splits) == {"train", "validation"}
    for read in (sealed.texts, sealed.labels_of, sealed.splits.__getitem__):
        with pytest.raises(UserError, match="the test split must not be read"):
            read("test")
    with pytest.raises(KeyError):
        sealed.splits["tset"]
    assert not sealed.labels[start:stop].any()
    np.testing.assert_array_equal(sealed.ids[start:stop].sum(axis=1), 1)
    assert sealed.ids.shape == prepared.ids.shape
    np.testing.assert_array_equal(sealed.ids[:start], prepared.ids[:start])
    assert prepared.labels[start:stop].any(), "the data itself stays as it was"
    assert sealed.texts("validation") == prepared.texts("validation")


def test_the_vocabulary_knows_train_alone(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.csv").write_text("text,label\n" + "red,0\nblue,1\n" * 10)
    (folder / "validation.csv").write_text("text,label\ngreen,0\nblue,1\n")
    (folder / "test.csv").write_text("text,label\nred green pink,0\n")
    prepared = prepare_dataset(DataSettings(str(folder)), tmp_path / "kept")
    assert prepared.vocabulary == 4
    assert prepared.ids[20:].tolist() == [[1, 0, 0], [2, 0, 0], [3, 1, 1]]  # blue 2, red 3
    assert prepared.edges == (2, 3)
    assert prepared.facts["splits"]["test"]["unknown_rate"] == pytest.approx(2 / 3)


def test_the_fingerprint_follows_the_rows_not_the_path(csv, tmp_path):
    first = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    copy = tmp_path / "elsewhere" / "copy.csv"
    copy.parent.mkdir()
    copy.write_bytes(csv.read_bytes())
    second = prepare_dataset(DataSettings(str(copy)), tmp_path / "kept")
    assert second.fingerprint == first.fingerprint
    assert second.tokenizer_hash == first.tokenizer_hash
    copy.write_text(csv.read_text().replace("number 7", "numbers 7"))
    third = prepare_dataset(DataSettings(str(copy)), tmp_path / "kept")
    assert third.fingerprint != first.fingerprint


def test_equal_requests_share_a_folder_and_others_do_not(csv, tmp_path):
    settings = DataSettings(str(csv))
    first = prepare_dataset(settings, tmp_path / "kept")
    written = (first.path / "arrays.npz").stat().st_mtime_ns
    again = prepare_dataset(settings, tmp_path / "kept")
    assert again.path == first.path
    assert (again.path / "arrays.npz").stat().st_mtime_ns == written
    others = [
        replace(settings, split_seed=1),
        replace(settings, tokens="char"),
        replace(settings, vocabulary=5),
        replace(settings, length=2),
    ]
    paths = {prepare_dataset(other, tmp_path / "kept").path for other in others}
    assert len(paths | {first.path}) == 5
    assert not list((tmp_path / "kept").glob(".writing-*"))


def test_the_split_seed_moves_validation_only(csv, tmp_path):
    one, other = (
        prepare_dataset(DataSettings(str(csv), split_seed=seed), tmp_path / "kept")
        for seed in (0, 1)
    )
    assert one.texts("test") == other.texts("test")
    assert one.texts("validation") != other.texts("validation")
    assert one.fingerprint != other.fingerprint


def test_concurrent_writers_are_harmless(csv, tmp_path):
    code = (
        "import sys; from pathlib import Path; from attn_nlp.data import *\n"
        "print(prepare_dataset(DataSettings(sys.argv[1]), Path(sys.argv[2])).path)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(csv), str(tmp_path / "kept")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = {process.communicate(timeout=100)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    (answer,) = answers
    made = {each.name for each in (tmp_path / "kept").iterdir()}
    assert made == {Path(answer.strip()).name, "known"}
    assert len(list((tmp_path / "kept" / "known").iterdir())) == 1


FILES = ["prepared.json", "arrays.npz", "texts.parquet", "tokenizer.json", SUMS]
HARMS = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "remove": lambda content: None,
    "one bit": lambda content: content[:80] + bytes([content[80] ^ 1]) + content[81:],
    "last bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "another kind": lambda content: b"[1, 2]",
    "too deep": lambda content: b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_folder_is_named_and_made_anew(csv, tmp_path, file, harm):
    settings = DataSettings(str(csv))
    first = prepare_dataset(settings, tmp_path / "kept")
    content = (first.path / file).read_bytes()
    harmed = HARMS[harm](content)
    if harmed is not None:
        (first.path / file).write_bytes(harmed)
    else:
        (first.path / file).unlink()
    assert kept_texts(first.fingerprint, tmp_path / "kept") is None
    with pytest.raises(UserError, match="missing or damaged; delete the folder"):
        open_prepared(first.path)
    again = prepare_dataset(settings, tmp_path / "kept")
    np.testing.assert_array_equal(again.ids, first.ids)
    assert (again.path / file).read_bytes() == content
    assert {each.name for each in (tmp_path / "kept").iterdir()} == {again.path.name, "known"}


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_an_empty_folder_or_a_file_in_its_place_is_made_anew(csv, tmp_path, kind):
    settings = DataSettings(str(csv))
    first = prepare_dataset(settings, tmp_path / "kept")
    texts = first.texts("test")
    shutil.rmtree(first.path)
    first.path.mkdir() if kind == "folder" else first.path.touch()
    again = prepare_dataset(settings, tmp_path / "kept")
    assert (again.path, again.texts("test")) == (first.path, texts)
    assert {each.name for each in (tmp_path / "kept").iterdir()} == {again.path.name, "known"}


def test_everything_is_on_the_disk_before_its_name_is(csv, tmp_path, monkeypatch):
    """A rename may reach the disk before what it names; a power cut then leaves empty files."""
    synced, before = set(), []
    real = os.fsync, os.replace

    def fsync(handle):
        synced.add(os.fstat(handle).st_ino)
        real[0](handle)

    def replace(source, target):
        if os.path.isdir(source):
            before.extend({each.stat().st_ino for each in Path(source).iterdir()} - synced)
        real[1](source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    found = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    assert before == []
    inodes = {each.stat().st_ino for each in [*found.path.iterdir(), found.path.parent]}
    assert inodes <= synced
    assert len(inodes) == 6


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_a_pickle_in_the_cache_is_never_run(csv, tmp_path):
    data = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    arrays = dict(np.load(data.path / "arrays.npz"))
    arrays["ids"] = np.array([Payload(tmp_path / "run")], dtype=object)
    np.savez(data.path / "arrays.npz", **arrays)
    note_sums(data.path)
    again = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    assert not (tmp_path / "run").exists()
    np.testing.assert_array_equal(again.ids, data.ids)


def test_a_folder_that_cannot_be_made_is_one_sentence(csv, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot prepare .* in .*taken/kept: Not a directory"):
        prepare_dataset(DataSettings(str(csv)), tmp_path / "taken" / "kept")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"tokens": "words"}, "unknown tokens 'words'"),
        ({"length": 0}, "length 0 is too small; choose 1 or more"),
        ({"vocabulary": 2}, "vocabulary 2 is too small; choose 3 or more"),
        ({"split_seed": -1}, "split_seed -1 is too small"),
        ({"dataset": "sst-2"}, "Did you mean 'sst2'"),
    ],
)
def test_bad_settings_are_rejected(tmp_path, setting, said):
    with pytest.raises(UserError, match=said):
        prepare_dataset(DataSettings(**{"dataset": "sst2", **setting}), tmp_path)


def test_what_another_version_of_the_code_left_is_not_taken(csv, tmp_path, monkeypatch):
    now = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    for module in ("prepare", "cache"):
        monkeypatch.setattr(f"attn_nlp.data.{module}.code_stamp", lambda: "another")
    then = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    assert now.path != then.path
    assert now.fingerprint == then.fingerprint


@pytest.fixture
def reads(monkeypatch):
    """Names of the datasets whose rows have been read."""
    names = []
    load = prepare.load

    def counted(name, folder):
        names.append(name)
        return load(name, folder)

    monkeypatch.setattr(prepare, "load", counted)
    return names


def test_known_files_are_not_read_again_and_changed_ones_are(csv, tmp_path, reads):
    settings, kept = DataSettings(str(csv)), tmp_path / "kept"
    first = prepare_dataset(settings, kept)
    assert prepare_dataset(settings, kept).path == first.path
    assert len(reads) == 1
    was = csv.stat()
    csv.write_text(csv.read_text().replace("good film number 7", "nice film number 7"))
    os.utime(csv, ns=(was.st_atime_ns, was.st_mtime_ns))  # a time says nothing, a byte does
    changed = prepare_dataset(settings, kept)
    assert changed.fingerprint != first.fingerprint
    assert len(reads) == 2
    assert prepare_dataset(replace(settings, length=5), kept).ids.shape[1] <= 5
    assert len(reads) == 3


def test_a_split_that_is_added_is_seen(tmp_path, reads):
    folder = tmp_path / "films"
    folder.mkdir()
    rows = "text,label\n" + "a,x\nb,y\n" * 20
    (folder / "train.csv").write_text(rows)
    first = prepare_dataset(DataSettings(str(folder)), tmp_path / "kept")
    (folder / "test.csv").write_text("text,label\nc,x\nd,y\n")
    second = prepare_dataset(DataSettings(str(folder)), tmp_path / "kept")
    assert first.splits["test"] != second.splits["test"]
    assert len(reads) == 2


@pytest.mark.parametrize("said", [b"", b"..", b"../..", b"/", b"nothing", b"known", b"\xff"])
def test_a_damaged_note_costs_a_reading_and_nothing_else(csv, tmp_path, reads, said):
    settings, kept = DataSettings(str(csv)), tmp_path / "kept"
    first = prepare_dataset(settings, kept)
    (note,) = (kept / "known").iterdir()
    note.write_bytes(said)
    assert prepare_dataset(settings, kept).path == first.path
    assert note.read_text().startswith(f"{first.path.name} ")
    assert len(reads) == 2


def test_a_note_that_names_other_data_is_not_believed(csv, tmp_path, reads):
    kept = tmp_path / "kept"
    first, other = (prepare_dataset(DataSettings(str(csv), length=n), kept) for n in (3, 5))
    of_first, of_other = sorted(
        (kept / "known").iterdir(), key=lambda note: first.path.name not in note.read_text()
    )
    of_first.write_bytes(of_other.read_bytes())
    assert prepare_dataset(DataSettings(str(csv), length=3), kept).path == first.path != other.path
    assert len(reads) == 3


def test_a_folder_put_under_the_name_of_another_is_made_anew(csv, tmp_path):
    kept = tmp_path / "kept"
    first, other = (prepare_dataset(DataSettings(str(csv), length=n), kept) for n in (3, 5))
    shutil.rmtree(first.path)
    shutil.copytree(other.path, first.path)
    assert prepare_dataset(DataSettings(str(csv), length=3), kept).ids.shape[1] == 3


def test_a_folder_of_the_layout_without_sums_is_made_anew_once(csv, tmp_path):
    settings, kept = DataSettings(str(csv)), tmp_path / "kept"
    first = prepare_dataset(settings, kept)
    (first.path / SUMS).unlink()
    assert kept_lengths(kept) == {}
    second = prepare_dataset(settings, kept)
    written = (second.path / "arrays.npz").stat().st_mtime_ns
    assert (prepare_dataset(settings, kept).path / "arrays.npz").stat().st_mtime_ns == written
    assert kept_lengths(kept) == {("films.csv", "word"): pytest.approx(4, abs=0.1)}


@pytest.mark.parametrize("file", ["texts.parquet", "tokenizer.json"])
def test_what_is_read_later_is_checked_again_then(csv, tmp_path, file):
    prepared = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    content = (prepared.path / file).read_bytes()
    (prepared.path / file).write_bytes(
        content.replace(b"good film", b"dull film").replace(b'"bad"', b'"sad"')
    )
    assert (prepared.path / file).read_bytes() != content
    with pytest.raises(UserError, match="missing or damaged"):
        prepared.texts("test") if file == "texts.parquet" else prepared.encode(["a"])


def test_damage_elsewhere_in_the_cache_is_passed_over(csv, tmp_path):
    kept = tmp_path / "kept"
    prepared = prepare_dataset(DataSettings(str(csv)), kept)
    for number, text in enumerate(["[1, 2]", "[" * 100_000, "", "3", '{"fingerprint": {}}']):
        for summed in (False, True):
            other = kept / f"{'ab'[summed]}{number}"
            other.mkdir()
            (other / "prepared.json").write_text(text)
            if summed:
                note_sums(other)
    assert kept_texts(prepared.fingerprint, kept) == prepared.texts("test")
    assert list(kept_lengths(kept)) == [("films.csv", "word")]
    assert prepare_dataset(DataSettings(str(csv)), kept).path == prepared.path


def test_a_folder_that_another_process_clears_and_puts_back_is_waited_for(
    csv, tmp_path, monkeypatch
):
    """Between our move and our reading, a process that had seen the damage takes ours away."""
    elsewhere, real, moved = tmp_path / "elsewhere", prepare.open_prepared, []

    def taken(path):
        if path.exists() and not moved:
            moved.append(path)
            os.rename(path, elsewhere)
        return real(path)

    monkeypatch.setattr(prepare, "open_prepared", taken)
    monkeypatch.setattr(prepare.time, "sleep", lambda _: os.rename(elsewhere, moved[0]))
    found = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    assert found.path == moved[0]
    assert len(found.texts("train")) == 49


def test_files_written_while_they_are_read_are_not_noted(csv, tmp_path, reads, monkeypatch):
    load = prepare.load

    def late(name, folder):
        rows = load(name, folder)
        csv.write_text(csv.read_text().replace("good film number 7", "nice film number 7"))
        return rows

    monkeypatch.setattr(prepare, "load", late)
    first = prepare_dataset(DataSettings(str(csv)), tmp_path / "kept")
    monkeypatch.setattr(prepare, "load", load)
    assert (
        prepare_dataset(DataSettings(str(csv)), tmp_path / "kept").fingerprint != first.fingerprint
    )
