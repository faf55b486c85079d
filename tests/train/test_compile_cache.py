"""Processes that come to one program: one compiles it, on all cores; the others wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from attn_nlp.train import compile_cache

HOLD = """
import sys, time
from attn_nlp.train.compile_cache import alone
with alone(sys.argv[1]):
    print("in", time.monotonic(), flush=True)
    time.sleep(float(sys.argv[2]))
    print("out", time.monotonic(), flush=True)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "xla"))
    return tmp_path / "xla"


def hold(name: str, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, name, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def times(process: subprocess.Popen) -> dict[str, float]:
    out, _ = process.communicate(timeout=60)
    return {word: float(at) for word, at in map(str.split, out.splitlines())}


def test_equal_names_follow_one_another(folder):
    first, second = (times(each) for each in [hold("one", 0.3), hold("one", 0.3)])
    if second["in"] < first["in"]:
        first, second = second, first
    assert second["in"] >= first["out"]


def test_other_names_do_not_wait(folder):
    holding = hold("one", 60.0)
    assert holding.stdout.readline().startswith("in")
    began = time.monotonic()
    assert times(hold("another", 0.0))["out"] > began
    holding.kill()  # and who dies holds nothing
    holding.communicate()
    with compile_cache.alone("one"):
        pass


def test_nobody_waits_for_ever(folder, monkeypatch):
    monkeypatch.setattr(compile_cache, "LONGEST_WAIT", 0.1)
    holding = hold("one", 60.0)
    assert holding.stdout.readline().startswith("in")
    with compile_cache.alone("one"):
        inside = holding.poll() is None
    holding.kill()
    holding.communicate()
    assert inside


def test_a_folder_that_cannot_be_locked_stops_nobody(folder):
    folder.write_text("a file where the folder should be")
    with compile_cache.alone("one"):
        pass
    assert folder.is_file()


def test_names_share_few_files(folder):
    for place in range(600):
        with compile_cache.alone(str(place)):
            pass
    assert len(list((folder / "locks").iterdir())) <= 256


SPREAD = """
import json, os, threading
from attn_nlp.train import compile_cache as compiling

def places():
    return [sorted(os.sched_getaffinity(int(each))) for each in os.listdir("/proc/self/task")]

end = threading.Event()
allowed = os.sched_getaffinity(0)
compiling.may_use(allowed)
os.sched_setaffinity(0, {min(allowed)})
threading.Thread(target=end.wait).start()
found = [places()]
try:
    with compiling.alone("one"):
        found.append(places())
        raise KeyError
except KeyError:
    found.append(places())
end.set()
print(json.dumps([sorted(allowed), found]))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system pins no threads")
def test_every_thread_is_let_on_all_cores_meanwhile():
    out = subprocess.run([sys.executable, "-c", SPREAD], capture_output=True, text=True, check=True)
    allowed, (before, inside, after) = json.loads(out.stdout)
    assert len(inside) == 2
    assert before == after == [[allowed[0]]] * 2
    assert inside == [allowed] * 2


COMPILED = """
import json, os, sys
from attn_nlp.runner.environment import single_threaded
from attn_nlp.train import compile_cache as compiling

os.environ.update(single_threaded())

def threads():
    return len(os.listdir("/proc/self/task"))

compiling.may_use(os.sched_getaffinity(0))
import jax
if sys.argv[1] == "late":
    compiling.keep_on([min(compiling.CORES)])
jax.devices()
before = threads()
compiling.start_threads()
compiling.keep_on([min(compiling.CORES)])
made = threads() - before
places = [sorted(os.sched_getaffinity(int(each))) for each in os.listdir("/proc/self/task")]
with compiling.alone("one"):
    jax.jit(lambda x: 3 * x).lower(1.0).compile()
print(json.dumps([len(compiling.CORES), min(compiling.CORES), made, threads() - before, places]))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system pins no threads")
def test_a_compiling_thread_is_started_for_each_core_before_the_process_is_pinned(tmp_path):
    """Also where what is compiled first is in the folder of compiled programs already."""
    made = {}
    for when in ("first", "again", "late"):
        command = [sys.executable, "-c", COMPILED, when]
        variables = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
        out = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
        cores, core, at_start, at_last, places = json.loads(out.stdout)
        assert at_start == at_last
        assert places == [[core]] * len(places)
        made[when] = at_start
    assert made["first"] == made["again"] == made["late"] + cores - 1
