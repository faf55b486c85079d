"""A log with a damaged byte is never taken for a shorter one."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from contextlib import closing
from itertools import product

import pytest

from attn_nlp.cli import main
from attn_nlp.store import Store, StoreError
from attn_nlp.store import file as store_file
from attn_nlp.store import log as store_log
from attn_nlp.store.doctor import repair
from attn_nlp.store.journal_check import MAGIC, is_damaged
from attn_nlp.store.log_check import Lack
from tests.store.records import record
from tests.store.test_log import amid_a_write, killed, log_of, read

SPECS = ["a" * 64, "b" * 64, "c" * 64, "d" * 64]
HEAD, PAGE, SIZE, SALT, SUM, CONTENT = 0, 0, 4, 8, 16, 24  # bytes into a log, and into a frame


@pytest.fixture
def left(path, monkeypatch):
    """A store whose four cells are in its log, and the number of frames of each transaction."""
    monkeypatch.setattr(store_log, "_LOOKS", 1)
    killed(path, *SPECS)
    frames, page = frames_of(log_of(path).read_bytes())
    ends = [place for place, frame in enumerate(frames, 1) if frame[1]]
    assert len(ends) == 4
    return path, page, ends


def frames_of(log):
    page = struct.unpack_from(">I", log, 8)[0]
    return [struct.unpack_from(">II", log, at) for at in range(32, len(log), 24 + page)], page


def flip(path, at, by=0xFF):
    content = bytearray(log_of(path).read_bytes())
    content[at] ^= by
    log_of(path).write_bytes(content)


def test_a_damaged_header_is_said(left):
    path, *_ = left
    whole = log_of(path).read_bytes()
    for at in range(32):
        log_of(path).write_bytes(whole)
        flip(path, at)
        for use in (Store.read, Store.open):
            with pytest.raises(StoreError, match=r"log store\.sqlite-wal is damaged at its begin"):
                use(path)


# Its page, its transaction's size, both salts, both sums, and what is in the page.
OFFSETS = (0, 3, 4, 7, 8, 12, 16, 23, CONTENT, CONTENT + 60, CONTENT + 2000)


@pytest.mark.parametrize("place", ["first", "within", "last"])
def test_a_damaged_frame_loses_no_cell_in_silence(left, place, capsys):
    path, page, ends = left
    whole = log_of(path).read_bytes()
    of_place = {"first": [0, *ends[:-1]], "within": [end - 3 for end in ends]}
    frames = of_place.get(place, [end - 1 for end in ends])
    for frame, offset, by in product(frames, OFFSETS, [0xFF, 0x01]):
        log_of(path).write_bytes(whole)
        flip(path, 32 + frame * (24 + page) + offset, by)
        lost = sum(frame < end for end in ends)
        if lost > 1:
            says = f"is damaged in frame {frame + 1}, and {lost} transactions "
            with pytest.raises(StoreError, match=says):
                read(path)
            continue
        store_file._warn_once.cache_clear()
        assert read(path) == set(SPECS[:-1])
        assert "the last write to its log store.sqlite-wal was cut short" in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_transaction_whose_end_is_no_end_any_more_is_missed(left, place, capsys):
    path, page, ends = left
    frames, _ = frames_of(log_of(path).read_bytes())
    at = 32 + (ends[place] - 1) * (24 + page) + SIZE
    flip(path, at + 3, frames[ends[place] - 1][1])  # of a size under 256
    if place < 3:
        with pytest.raises(StoreError, match=f"and {4 - place} transactions "):
            read(path)
    else:
        assert read(path) == set(SPECS[:3])
        assert "the last write to its log store.sqlite-wal was cut short" in capsys.readouterr().err


def test_every_command_says_it_in_one_line_and_changes_nothing(left, capsys):
    path, page, _ = left
    flip(path, 40 + page)
    before = log_of(path).read_bytes(), path.read_bytes()
    for command in ("status", "doctor", "pack"):
        assert main([command, "--store", str(path)]) == 4
        err = capsys.readouterr().err
        assert "move both away, then restore a copy" in err
        assert len(err.splitlines()) == 1
    assert (log_of(path).read_bytes(), path.read_bytes()) == before


def test_a_log_that_another_process_is_writing_is_looked_at_again(left, monkeypatch, capsys):
    looks = iter([Lack(0, 1, True), Lack(3, 1, False), None])
    monkeypatch.setattr(store_log, "_LOOKS", 3)
    monkeypatch.setattr(store_log, "_PAUSE", 0)
    monkeypatch.setattr(store_log, "lack", lambda _: next(looks))
    assert read(left[0]) == set(SPECS)
    assert capsys.readouterr().err == ""


@pytest.fixture
def undoing(path, monkeypatch):
    """A store of one file whose last write was cut off, and the bytes of its journal."""
    monkeypatch.setattr(store_log, "_LOOKS", 1)
    amid_a_write(path)
    journal = bytearray(log_of(path, "-journal").read_bytes())
    page = struct.unpack_from(">I", journal, 24)[0]
    journal[8:12] = struct.pack(">I", (len(journal) - 512) // (page + 8))
    return path, bytes(journal), page


def test_a_damaged_journal_is_said_and_kept(undoing):
    path, journal, page = undoing
    half, log = path.read_bytes(), log_of(path, "-journal")
    second = 512 + 8 + page
    places = [*range(16), *range(20, 28), 512, second, second + page - 196, second + 7 + page]
    for at in places:
        damaged = bytearray(journal)
        damaged[at] ^= 0xFF
        log.write_bytes(damaged)
        for use in (repair, Store.open, Store.read):
            with pytest.raises(StoreError, match="is damaged and cannot undo a write that was cut"):
                use(path)
        assert (path.read_bytes(), log.read_bytes()) == (half, damaged)
    log.write_bytes(journal)
    assert repair(path) == []
    assert read(path) == {SPECS[0]}


def test_a_journal_of_several_parts_is_sound_while_it_is_written(path):
    """Of a write that is larger than the memory for it."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 10")
        db.execute("CREATE TABLE blobs (value)")
        db.executemany("INSERT INTO blobs VALUES (?)", [[bytes(3000)]] * 100)
        db.execute("BEGIN")
        db.execute("UPDATE blobs SET value = zeroblob(2999)")
        log = log_of(path, "-journal")
        head = MAGIC
        assert log.read_bytes().count(head) > 2
        assert not is_damaged(log)
        last = bytearray(log.read_bytes())
        last[last.rindex(head)] ^= 0x01
        copy = path.with_name("copy")
        copy.write_bytes(last)
        assert is_damaged(copy)
        db.execute("ROLLBACK")


def test_what_a_killed_write_leaves_is_no_damage(left, tmp_path, capsys):
    """Frames without an end, frames of an earlier log behind, and a log that begins anew."""
    path, page, _ = left
    whole = log_of(path).read_bytes()
    log_of(path).write_bytes(whole[: -24 - page])
    assert read(path) == set(SPECS[:3])
    old = bytearray(whole[32 : 32 + 24 + page] * 3)
    for frame in range(3):
        old[frame * (24 + page) + SALT : frame * (24 + page) + SUM] = bytes(8)
    log_of(path).write_bytes(whole + old)
    assert read(path) == set(SPECS)
    with Store.open(path) as store:
        store._db.execute("PRAGMA wal_checkpoint")
        store.finish("e" * 64, record())  # over the beginning of the log
        copy = tmp_path / "copy" / path.name
        shutil.copytree(path.parent, copy.parent)
        assert read(copy) == {*SPECS, "e" * 64}
    assert capsys.readouterr().err == ""


def test_a_log_of_the_other_order_of_bytes_is_read(left):
    """The sums of a log that a machine of the other kind has written."""
    path, page, _ = left
    log = bytearray(log_of(path).read_bytes())
    order = "<" if log[3] & 1 else ">"
    log[3] ^= 1
    sums = summed(order, log[:24], (0, 0))
    log[24:32] = struct.pack(">II", *sums)
    for at in range(32, len(log), 24 + page):
        frame = log[at : at + 8] + log[at + 24 : at + 24 + page]
        sums = summed(order, frame, sums)
        log[at + SUM : at + CONTENT] = struct.pack(">II", *sums)
    log_of(path).write_bytes(log)
    assert read(path) == set(SPECS)
    flip(path, 32 + CONTENT)
    with pytest.raises(StoreError, match="is damaged in frame 1"):
        read(path)


def summed(order, content, sums):
    """As SQLite's description of its file format has it."""
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % 2**32
        second = (second + two + first) % 2**32
    return first, second
