"""A file read in a thread counts for the line that started the thread."""

from __future__ import annotations

import _thread
import os
import threading

import pytest

from attn_nlp.errors import UserError
from attn_nlp.user_code import asked, opened
from tests.user_code.test_hashing import folder, specs, write  # noqa: F401 - a fixture
from tests.user_code.test_watching import OLD, run

TOP = """import asyncio, numpy, operator, os, pathlib, _thread, threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.pool import ThreadPool
HERE = pathlib.Path(__file__).parent
GAIN = HERE / 'gain.txt'
def pooled(function, *given): return [*ThreadPoolExecutor(1).map(function, *([a] for a in given))]
def mapped(function, *given):
    with ThreadPool(1) as pool: return pool.map(function, given)
def started(function, *given):
    thread = threading.Thread(target=function, args=given); thread.start(); thread.join()
def raw(function, *given):
    done = threading.Semaphore(0)
    calls = map(operator.call, [partial(function, *given), done.release])
    _thread.start_new_thread(list, (calls,)); done.acquire()
"""
FILES = [
    "pooled(numpy.loadtxt, GAIN)",
    "pooled(pathlib.Path.read_text, GAIN)",
    "started(pathlib.Path.read_text, GAIN)",
    "mapped(numpy.loadtxt, GAIN)",
    "asyncio.run(asyncio.to_thread(GAIN.read_text))",
    "raw(GAIN.read_text)",
]
VARIABLES = ["pooled(os.getenv, 'GAIN')", "started(os.path.expandvars, '$GAIN')"]
LOOKS = ["pooled(os.listdir, HERE)", "pooled(os.path.isfile, HERE / 'new.txt')"]


@pytest.mark.parametrize("line", FILES + VARIABLES + LOOKS)
def test_what_a_thread_reads_while_the_file_loads_is_in_the_hash(folder, monkeypatch, line):  # noqa: F811
    found = []
    for value in ("1", "1", "2"):
        write(folder, {"gain.txt": value} | ({"new.txt": ""} if value == "2" else {}))
        monkeypatch.setenv("GAIN", value)
        found.append(specs(folder, TOP + line))
    assert found[0] == found[1]
    assert found[0][0] == found[2][0]
    assert found[0][1] != found[2][1]


@pytest.mark.parametrize("line", FILES + VARIABLES)
def test_what_a_thread_reads_in_a_hook_is_rejected(folder, monkeypatch, line):  # noqa: F811
    rejects(folder, monkeypatch, TOP, line)


@pytest.mark.parametrize("line", [FILES[0], VARIABLES[0]])
def test_a_thread_that_is_older_than_the_cell_reads_for_its_starter(folder, monkeypatch, line):  # noqa: F811
    top = TOP + "POOL = ThreadPoolExecutor(1); POOL.submit(int).result()"
    rejects(folder, monkeypatch, top, line.replace("pooled(", "POOL.submit(") + ".result()")


def rejects(folder, monkeypatch, top, line):  # noqa: F811
    write(folder, {"gain.txt": "1"})
    os.utime(folder / "gain.txt", ns=(OLD, OLD))
    monkeypatch.setenv("GAIN", "1")
    specs(folder, top, line)
    message = "environment variable GAIN only when" if "GAIN'" in line else r"gain\.txt only when"
    with pytest.raises(UserError, match=rf"own\.py, line \d+, reads .*{message}"):
        run()


def test_nothing_is_changed_where_nobody_listens():
    before = threading.Thread.start, _thread.start_new_thread
    with opened.listening(lambda *_: None), asked.noted(lambda *_: None, lambda _: None):
        assert threading.Thread.start is not before[0]
    assert (threading.Thread.start, _thread.start_new_thread) == before
