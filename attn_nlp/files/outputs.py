"""Writing a file that a user has named, in the one way that every command uses.

A regular file is replaced at once, so that a reader sees the old one or the new one, never half of
it; it keeps its mode, and its owner where that is allowed. A symbolic link stays and what it points
to is replaced. A file with several names (hard links) is rejected: replacing it would part the
names, and writing into it could leave half of it under all of them. A terminal, a pipe or another
device is opened and written to. A folder that is missing is made.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path

from attn_nlp.errors import UserError
from attn_nlp.fault_injection import point
from attn_nlp.files import atomic
from attn_nlp.wording import Nowhere, Unread, reason_of, without_controls

# What the system says of a disk; the user's choice of a name is not at fault.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def replace(path: Path, content: str | bytes) -> None:
    """Write a file, or to a device or a pipe.

    Args:
      path: where; see above.
      content: all of it. What a terminal shows has no control characters.

    Raises:
      UserError: it cannot be written there.
      OSError: the disk is full or broken.
      Unread: the other end of the pipe is closed.
    """
    check_writable(path)
    try:
        if (number := descriptor(path)) is not None:
            if number == 1:
                sys.stdout.flush()  # what was printed before comes before
            _pour(os.dup(number), content)
        elif (found := _state(path)) is not None and not stat.S_ISREG(found.st_mode):
            _pour(os.open(path, os.O_WRONLY), content)
        else:
            _replace(Path(os.path.realpath(path)), _bytes(content), found)
    except BrokenPipeError as error:
        raise Unread from error
    except OSError as error:
        reason = reason_of(error)
        if error.errno in _DISK:
            raise OSError(error.errno, reason, str(path)) from error
        raise UserError(f"cannot write to {path}: {reason}.") from error


_SIGNATURE = "Written by attn-nlp: "


def digest(content: str) -> bytes:
    """Return the SHA-256 of the content of a file."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()


def signature(content: str) -> str:
    """Return the words by which a file is recognized, as long as nobody edits it."""
    return _SIGNATURE + digest(content).hex()[:16]


def signed(content: str, comment: str) -> str:
    """Return the content of a file and a last line with its signature.

    Args:
      content: of a file.
      comment: what a comment looks like in such a file, with {} for its text.
    """
    return f"{content}{comment.format(signature(content))}\n"


def is_signed(content: str, comment: str) -> bool:
    """Return whether a file is unchanged output of `signed`."""
    before = comment.partition("{}")[0] + _SIGNATURE
    body = content[: max(content.rfind(before), 0)]
    return content == signed(body, comment)


def check_writable(path: Path) -> None:
    """Reject what `replace` could not write, or should not; changes nothing.

    Raises:
      UserError: a folder, a disk, a socket, a file with several names, or no permission.
    """
    try:
        _check_descriptor(path)
        found = _state(path)
        if found is None:
            _check_folder(path)
            return
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror}.") from error
    for is_kind, what in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISBLK, "a disk"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if is_kind(found.st_mode):
            raise UserError(f"cannot write to {path}: it is {what}.")
    if descriptor(path) is not None:
        return
    if not os.access(path, os.W_OK):
        raise UserError(f"cannot write to {path}: permission denied.")
    if stat.S_ISREG(found.st_mode):
        if found.st_nlink > 1:
            raise UserError(
                f"cannot write to {path}: the file has {found.st_nlink} names (hard links), which "
                "would part; remove this one, or choose another."
            )
        _check_folder(path)


def make_folder(path: Path) -> None:
    """Make the folder of a file, where it is missing.

    Raises:
      UserError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder of {path}: {error.strerror}.") from error


def descriptor(path: Path) -> int | None:
    """Return the number of an open file of this process that a path names: 1 for /dev/stdout.

    It is -1 for a name in their folder that is not such a number, and None for any other path. If
    such a file were opened again, writing would start at its beginning, over what it contains.
    """
    name = str(path)
    for _ in range(40):  # as many links as the system follows
        folder, last = os.path.split(os.path.abspath(name))
        folder = os.path.realpath(folder)
        if re.fullmatch(rf"/proc/{os.getpid()}(/task/\d+)?/fd|/dev/fd", folder):
            return int(last) if re.fullmatch(r"0|[1-9]\d{,8}", last, re.ASCII) else -1
        name = os.path.join(folder, last)
        try:
            name = os.path.join(folder, os.readlink(name))
        except OSError:  # no link
            return None
    return None


def _state(path: Path) -> os.stat_result | None:
    """Return the state of the file behind all links, or None if there is none."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _check_descriptor(path: Path) -> None:
    number = descriptor(path)
    if number is not None:
        import fcntl

        closed = number == 1 and isinstance(sys.stdout, Nowhere)
        if number < 0 or closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "it is open for reading only")


def _check_folder(path: Path) -> None:
    """The folder of a file, or the one above in which it will be made, must be one of ours."""
    folder = Path(os.path.realpath(path)).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"cannot write to {path}: {folder.name} is no folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to {path}: permission denied for its folder.")


def _pour(number: int, content: str | bytes) -> None:
    with os.fdopen(number, "wb", buffering=0) as file:
        if isinstance(content, str) and file.isatty():
            content = without_controls(content, "\n\t")
        left = memoryview(_bytes(content))
        while left:
            left = left[file.write(left) :]


def _replace(target: Path, content: bytes, found: os.stat_result | None) -> None:
    make_folder(target)
    with atomic.replacing(target, "output") as unfinished:
        with point("output.write"):
            unfinished.touch(0o666 if found is None else 0o600)  # until it is that of the old file
            unfinished.write_bytes(content)
        if found is not None:
            _take_over(unfinished, found)


def _take_over(unfinished: Path, found: os.stat_result) -> None:
    """Give the new file the owner, where that is allowed, and the mode of the old one."""
    own = os.stat(unfinished)
    if (own.st_uid, own.st_gid) != (found.st_uid, found.st_gid):
        with suppress(PermissionError):
            os.chown(unfinished, found.st_uid, found.st_gid)
    os.chmod(unfinished, found.st_mode & 0o777)


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "replace") if isinstance(content, str) else content
