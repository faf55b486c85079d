"""Files that a user names: replaced whole, links and modes kept, devices written to."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from attn_nlp.errors import UserError
from attn_nlp.files.outputs import descriptor, replace
from attn_nlp.wording import Unread


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_made_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "a/b/t.md"
    for content in ("one", b"two", "half \ud800"):
        replace(path, content)
    assert path.read_bytes() == b"half ?"
    assert [each.name for each in path.parent.iterdir()] == ["t.md"]


def test_a_new_file_follows_the_mask_and_an_old_one_keeps_its_mode(tmp_path):
    before = os.umask(0o027)
    try:
        replace(tmp_path / "new", "a")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o640
    (tmp_path / "new").chmod(0o600)
    replace(tmp_path / "new", "b")
    assert (mode(tmp_path / "new"), (tmp_path / "new").read_text()) == (0o600, "b")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_old_file_keeps_its_owner(tmp_path):
    (tmp_path / "t").write_text("a")
    os.chown(tmp_path / "t", 12345, 23456)
    replace(tmp_path / "t", "b")
    found = (tmp_path / "t").stat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_replaced(tmp_path, there):
    target = tmp_path / "other/target"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    (tmp_path / "first").symlink_to("other/target")
    (tmp_path / "link").symlink_to(tmp_path / "first")
    replace(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "first").is_symlink()
    assert target.read_text() == "new"
    assert not target.is_symlink()


def test_a_pipe_is_written_to(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found = []
    reader = threading.Thread(target=lambda: found.append(path.read_text()))
    reader.start()
    replace(path, "a" * 100_000)
    reader.join()
    assert found == ["a" * 100_000]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_an_open_file_is_written_on_from_where_it_is(tmp_path):
    """As a shell leaves it: >> must not lose what stood there, nor a second line the first."""
    with open(tmp_path / "log", "w+b", buffering=0) as log:
        log.write(b"before\n")
        for name in (f"/dev/fd/{log.fileno()}", f"/proc/self/fd/{log.fileno()}"):
            replace(Path(name), "table\n")
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{log.fileno()}")
        replace(link, "linked\n")
        log.write(b"after\n")
    assert (tmp_path / "log").read_text() == "before\ntable\ntable\nlinked\nafter\n"


def test_a_reader_that_has_left_is_told_apart(tmp_path):
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(Unread):
        replace(Path(f"/dev/fd/{write}"), "a")
    os.close(write)


def test_a_terminal_gets_no_controls(tmp_path):
    import pty

    main, other = pty.openpty()
    replace(Path(f"/dev/fd/{other}"), "\x1b[31mred\n")
    assert os.read(main, 100) == b"[31mred\r\n"
    os.close(main)
    os.close(other)


def test_a_device_stays_one_and_may_be_full(tmp_path):
    devices = [Path(name) for name in ("/dev/null", "/dev/full")]
    before = [os.stat(each) for each in devices]
    replace(devices[0], "a")
    with pytest.raises(OSError, match="No space left"):
        replace(devices[1], "a")
    assert [os.stat(each).st_rdev for each in devices] == [each.st_rdev for each in before]
    assert descriptor(devices[0]) is None


def hard_link(folder):
    (folder / "one").write_text("old")
    os.link(folder / "one", folder / "t")


def folder_there(folder):
    (folder / "t").mkdir()


def loop(folder):
    (folder / "t").symlink_to("t")


def socket_there(folder):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "t"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (hard_link, "has 2 names (hard links)"),
        (folder_there, "it is a folder"),
        (loop, "symbolic links"),
        (socket_there, "it is a socket"),
    ],
)
def test_what_cannot_be_replaced_is_rejected(tmp_path, monkeypatch, make, says):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    make(tmp_path.relative_to(tmp_path))
    before = sorted((each.name, each.lstat().st_ino) for each in tmp_path.iterdir())
    with pytest.raises(UserError, match=r"cannot write to .*t: ") as rejected:
        replace(tmp_path / "t", "new")
    assert says in str(rejected.value)
    assert sorted((each.name, each.lstat().st_ino) for each in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x" * 300, "name too long"),
        *(
            (f"/dev/fd/{each}", "Bad file descriptor")
            for each in ("999", "9" * 11, "-1", "01", "x")
        ),
    ],
)
def test_names_that_cannot_be(tmp_path, name, says):
    with pytest.raises(UserError, match=r"(?i)" + says):
        replace(tmp_path / name, "new")


def test_without_permission_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, how: False)
    (tmp_path / "t").write_text("old")
    with pytest.raises(UserError, match="permission denied"):
        replace(tmp_path / "t", "new")
    with pytest.raises(UserError, match="permission denied for its folder"):
        replace(tmp_path / "new/t", "new")
    assert [each.name for each in tmp_path.iterdir()] == ["t"]
    assert (tmp_path / "t").read_text() == "old"
