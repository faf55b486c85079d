"""The hashed code is the code that runs, and anything that no hash covers is rejected."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import load
from attn_nlp.parts import registry
from attn_nlp.user_code import writers
from attn_nlp.user_code.watching import watching
from attn_nlp.user_code.writers import Writers
from tests.user_code.test_hashing import folder, specs, write  # noqa: F401 - a fixture

OLD = 1_000_000_000


def part():
    return registry.find("score", "mine")


def codes(name="mine"):
    code = registry.find("score", name).own_code
    assert code is not None
    return [code]


def run(q=1):
    with watching(codes()):
        return part().hooks["score"](q, 0)


def test_a_module_imported_late_is_the_one_that_was_hashed(folder):  # noqa: F811
    write(folder, {"helper.py": "C = 1"})
    inside = "import helper\n    return helper.C"
    before, hashed = specs(folder, inside=inside), part().code_hash
    write(folder, {"helper.py": "C = 2"})
    assert run() == 1
    assert part().code_hash == hashed
    assert specs(folder, inside=inside) != before
    assert run() == 2


def test_an_edit_between_run_and_hash_is_not_hashed(folder, monkeypatch):  # noqa: F811
    """As by an editor that saves while the experiment file is still being run."""
    write(folder, {"helper.py": "C = 1"})
    before = specs(folder, "import helper", "return helper.C")

    def late(given):
        write(folder, {"helper.py": "C = 2"})
        registry.settle(given)

    with monkeypatch.context() as patch:
        patch.setattr(load, "settle", late)
        assert specs(folder, "import helper", "return helper.C") == before
        assert run() == 1
    assert specs(folder, "import helper", "return helper.C") != before
    assert run() == 2


def test_a_reloaded_module_is_read_again(folder):  # noqa: F811
    write(folder, {"helper.py": "C = 1"})
    specs(folder, "import helper", "return helper.C")
    helper = sys.modules["helper"]
    write(folder, {"helper.py": "C = 2"})
    assert __import__("importlib").reload(helper).C == 2


def test_data_that_change_while_the_file_is_run_are_rejected(folder):  # noqa: F811
    write(folder, {"gain.txt": "1"})
    top = "from pathlib import Path\nGAIN = Path(__file__).with_name('gain.txt')\n"
    top += "GAIN.read_text()\nGAIN.write_text('22')"
    with pytest.raises(UserError, match=r"gain\.txt changed during the run; run it again"):
        specs(folder, top)


@pytest.mark.parametrize(
    ("top", "line"),
    [("", ", files=['gain.txt']"), ("import click; GAIN = 'gain.txt'", "")],
    ids=["declared", "named"],
)
def test_data_that_change_later_are_rejected(folder, top, line):  # noqa: F811
    write(folder, {"gain.txt": "1"})
    specs(folder, top, line=line)
    part().check()
    os.utime(folder / "gain.txt", ns=(OLD, OLD))
    part().check()  # touched, but the same
    write(folder, {"gain.txt": "2"})
    with pytest.raises(UserError, match=r"gain\.txt changed during the run; run it again"):
        part().check()


READS = "import pathlib; return int(pathlib.Path(__file__).with_name('gain.txt').read_text())"
GAIN = r"own\.py, line 9, reads the environment variable GAIN only when a cell is trained, so "
GAIN += r"another value would go unnoticed; read it at the top of the experiment file, or of a "
GAIN += r"module imported there: GAIN = os\.environ\.get\('GAIN'\)\.$"
WORKED_OUT = "import importlib\n    return importlib.import_module('hel' + 'per').C"


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (
            READS,
            r"own\.py, line 9, reads .*gain\.txt only when a cell is trained.*"
            r"files=\['gain\.txt'\]",
        ),
        ("import os; return int(os.environ['GAIN'])", GAIN),
        ("import os; return int(os.getenv('GAIN', '1'))", GAIN),
        ("import os; return int(os.path.expandvars('$GAIN'))", GAIN),
        ("import os; return 'GAIN' in os.environ", GAIN),
        ("import os; return os.environ.setdefault('GAIN', '2')", GAIN),
        ("import os; return dict(os.environ)", r"own\.py, line 9, reads all environment variables"),
        ("import posix; return posix.environ.get(b'GAIN')", r"own\.py, line 9, reads all env"),
        (
            "import pathlib; pathlib.Path('/proc/self/environ').read_text()",
            r"own\.py, line 9, reads all env",
        ),
        (
            "import gain; return gain.gain()",
            r"gain\.py, line 2, reads the environment variable GAIN",
        ),
        (WORKED_OUT, r"helper\.py is imported only when a cell is trained, under a computed name"),
    ],
)
def test_what_no_hash_covers_is_rejected_from_then_on(folder, monkeypatch, inside, message):  # noqa: F811
    monkeypatch.setenv("GAIN", "1")
    reads = "def gain():\n    import os; return os.environ['GAIN']"
    library = "import os\ndef setting(name): return os.environ[name]"
    write(folder, {"site-packages/a_library.py": library})
    monkeypatch.syspath_prepend(folder / "site-packages")
    write(folder, {"gain.txt": "1", "helper.py": "C = 1", "gain.py": reads})
    os.utime(folder / "gain.txt", ns=(OLD, OLD))
    specs(folder, inside=inside)
    for _ in range(2):  # the second time nothing is imported, nor read where a program is kept
        with pytest.raises(UserError, match=message):
            run()
    with pytest.raises(UserError, match=message), watching([]):
        pass
    specs(folder)  # a file without it
    with watching([]):
        pass


LATE = {
    "pkgutil.get_data('pack', 'gain.txt')": "gain.txt",
    "linecache.getline(f'{HERE}/gain.txt', 1)": "gain.txt",
    "sys.kept = sys.kept or pathlib.Path(HERE, 'gain.txt').read_text()": "gain.txt",
    "runpy.run_path(f'{HERE}/gain.py')": "gain.py",
    "exec(pathlib.Path(HERE, 'gain.py').read_text())": "gain.py",
    "S = u.spec_from_file_location('x', f'{HERE}/gain.py'); S.loader.get_code('x')": "gain.py",
    "import ctypes\n    with suppress(OSError): ctypes.CDLL(HERE + '/ga' + 'in.so')": "gain.so",
}


@pytest.mark.parametrize("line", LATE)
def test_a_file_is_rejected_however_it_is_read_and_kept(folder, monkeypatch, line):  # noqa: F811
    """Also in a later cell, for which a library has kept what it has read."""
    monkeypatch.setattr(sys, "kept", None, raising=False)
    files = ["pack/__init__.py", "pack/gain.txt", "gain.txt", "gain.py", "gain.so"]
    write(folder, dict.fromkeys(files, ""))
    for each in files:
        os.utime(folder / each, ns=(OLD, OLD))
    write(folder, {"gain.txt": "1"})
    os.utime(folder / "gain.txt", ns=(OLD, OLD))
    top = "import importlib.util as u, linecache, pathlib, os, pack, pkgutil, runpy, sys"
    for _ in range(2):
        specs(folder, f"{top}\nfrom contextlib import suppress; HERE = __file__[:-7]", line)
        with pytest.raises(
            UserError, match=rf"own\.py, line 1[01], reads .*{LATE[line]} only when a"
        ):
            run()


@pytest.mark.parametrize(
    "line",
    [
        "pathlib.Path(__file__).read_text()",
        "inspect.getsource(mine)",
        "shutil.copy(f'{HERE}/helper.py', f'{HERE}/kept.txt')",
        "ctypes.CDLL(None), ctypes.CDLL('libc.so.6')",
        "ctypes.CDLL(next(iter(sorted(pathlib.Path(jaxlib.__file__).parent.glob('*.so')))))",
        "import late",
    ],
)
def test_code_that_is_shown_and_libraries_of_others_are_no_input(folder, line):  # noqa: F811
    write(folder, {"helper.py": "", "late.py": ""})
    top = "import ctypes, inspect, jaxlib, os, pathlib, shutil; HERE = os.path.dirname(__file__)"
    before = specs(folder, top, line)
    run(q=3)
    assert specs(folder, f"{top}; {line}" if "mine" not in line else top, line)
    assert specs(folder, top, line) == before


@pytest.mark.parametrize(
    ("top", "line"),
    [
        ("import pathlib; pathlib.Path(__file__).with_name('gain.txt').read_text()", ""),
        ("", ", files=['gain.txt']"),
    ],
    ids=["read", "declared"],
)
def test_what_is_hashed_may_be_read_again(folder, top, line):  # noqa: F811
    write(folder, {"gain.txt": "1"})
    os.utime(folder / "gain.txt", ns=(OLD, OLD))
    specs(folder, top, READS, line)
    assert run() == 1


def test_a_temporary_folder_is_no_input(folder):  # noqa: F811
    """Its time may lie before the part's beginning, since files have coarser clocks."""
    inside = "import os, shutil; at = __file__ + '.d'; os.mkdir(at)\n"
    inside += "    open(at + '/a', 'w').close(); os.close(os.open(at, os.O_RDONLY))\n"
    inside += "    with open(at + '/a') as a: a.read()\n    shutil.rmtree(at); return 3"
    specs(folder, inside=inside)
    assert [run() for _ in range(20)] == [3] * 20


def test_a_file_made_meanwhile_is_no_input(folder):  # noqa: F811
    inside = "import pathlib; file = pathlib.Path(__file__ + '.txt'); file.write_text('3')\n"
    specs(folder, inside=inside + "    return int(file.read_text())")
    assert run() == 3


def test_a_file_that_another_cell_writes_is_waited_for(tmp_path, capfd):
    file = str(tmp_path / "best.npy")
    one, other = Writers(), Writers()
    assert one.wait(file) == ""
    waiting = threading.Thread(target=other.wait, args=[file])
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert not one.is_of_another(file)
    one.end()
    waiting.join(60)
    assert not waiting.is_alive()
    assert one.is_of_another(file)
    assert not other.is_of_another(file)
    assert "waiting for another cell that writes" in capfd.readouterr().err
    other.end()


def test_two_cells_that_wait_for_each_other_are_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "_PATIENCE", 0.0)
    one, other = Writers(), Writers()
    assert one.wait(str(tmp_path / "a")) == other.wait(str(tmp_path / "b")) == ""
    assert "is written by another cell that runs" in one.wait(str(tmp_path / "b"))
    one.end()
    assert other.wait(str(tmp_path / "a")) == ""
    other.end()


def test_what_another_cell_makes_meanwhile_is_no_input(folder):  # noqa: F811
    file = str(folder / "x.txt")
    specs(folder, inside=f"return open({file!r}).close()")

    def read():
        with watching(codes()):
            other = Writers()
            other.wait(file)
            subprocess.run([sys.executable, "-c", f"open({file!r}, 'w').close()"], check=True)
            other.end()
            part().hooks["score"](1, 0)

    with pytest.raises(UserError, match=r"reads .*x\.txt only when a cell is trained"):
        read()


def test_a_folder_that_is_opened_by_a_descriptor_is_rejected(folder):  # noqa: F811
    specs(folder, inside=f"import os\n    os.close(os.open({str(folder)!r}, os.O_RDONLY))")
    with pytest.raises(UserError, match=r"opens the folder .* by a descriptor"):
        run()


def test_what_one_cell_has_made_is_no_input_of_the_next(folder):  # noqa: F811
    """However soon it begins: its result would depend on which cells this process has trained."""
    inside = "import pathlib; file = pathlib.Path(__file__ + '.txt')\n"
    inside += "    if not file.exists(): file.write_text('3')\n"
    specs(folder, inside=inside + "    return int(file.read_text())")
    assert run() == 3
    with pytest.raises(UserError, match=r"reads .*\.txt only when a cell is trained"):
        run()


@pytest.mark.parametrize(
    ("top", "inside"),
    [
        ("import os; GAIN = os.environ.get('GAIN')", "return os.environ['GAIN']"),
        ("import gain", "return gain.os.environ['GAIN']"),
        ("import os; os.environ['GAIN'] = '1'", "return os.environ['GAIN']"),
        ("import os", "os.environ['GAIN'] = '1'; return os.environ['GAIN']"),
        ("import os", "os.environ.update(GAIN='1'); return os.environ['GAIN']"),
        ("import os", "os.environ.get('OMP_NUM_THREADS', os.environ.get('NPROC')); return '1'"),
        ("import a_library", "return a_library.other()"),
        ("import a_library; GAIN = 1", "return a_library.setting()"),
    ],
)
def test_variables_that_the_hash_knows_may_be_read_again(folder, monkeypatch, top, inside):  # noqa: F811
    write(folder, {"gain.py": "import os; GAIN = os.environ['GAIN']"})
    text = "import os\ndef other(): return os.environ['GA' 'IN'] or dict(os.environ)\n"
    text += "def setting(name='GAIN'): return os.environ[name]\n"
    write(folder, {"site-packages/a_library.py": text})
    monkeypatch.syspath_prepend(folder / "site-packages")
    monkeypatch.setenv("GAIN", "1")
    specs(folder, top, inside)
    assert run() == "1"


def test_a_variable_that_changes_after_it_was_hashed_is_rejected(folder, monkeypatch):  # noqa: F811
    monkeypatch.setenv("GAIN", "1")
    specs(folder, "import os; os.environ['GAIN']", "return os.environ['GAIN']")
    monkeypatch.setenv("GAIN", "2")
    with pytest.raises(UserError, match="reads the environment variable GAIN only when a cell"):
        run()


@pytest.mark.parametrize(
    ("reads", "message"),
    [("pathlib.Path(__file__).with_name('gain.txt').read_text()", "gain.txt"),
     ("os.environ['GAIN']", "variable GAIN")],
    ids=["file", "variable"],
)  # fmt: skip
def test_what_another_part_has_read_is_in_no_hash_of_this_one(folder, monkeypatch, reads, message):  # noqa: F811
    monkeypatch.setenv("GAIN", "1")
    other = "import os, pathlib\nfrom attn_nlp.parts.registry import score\n"
    other += "@score('far')\ndef far(q, k):\n    return " + reads
    write(folder, {"gain.txt": "1", "other.py": other, "reader.py": f"import os, pathlib\n{reads}"})
    os.utime(folder / "gain.txt", ns=(OLD, OLD))
    for top, rejected in (("import reader\n", False), ("", True)):
        write(folder, {"other.py": top + other})
        specs(folder, "import other, reader")
        far = registry.find("score", "far")
        said = pytest.raises(UserError, match=message) if rejected else contextlib.nullcontext()
        with said, watching(codes("far")):
            far.hooks["score"](1, 0)


LISTS = r"own\.py, line 10, lists the files of .*%s only when a cell is trained, so another "
LISTS += r"file there would go unnoticed; list them at the top of the file\.$"


@pytest.mark.parametrize(
    "line",
    [
        "len(os.listdir(HERE / 'all'))",
        "len([*os.scandir(HERE / 'all')])",
        "len([*(HERE / 'all').iterdir()])",
        "len([*(HERE / 'all').glob('*')])",
        "len(glob.glob(f'{HERE}/all/*'))",
        "sum(len(files) for *_, files in os.walk(HERE / 'all'))",
        "ThreadPoolExecutor(1).submit(os.listdir, HERE / 'all').result()",
    ],
)
def test_a_folder_that_is_listed_late_is_rejected(folder, line):  # noqa: F811
    write(folder, {"all/a.txt": "1"})
    top = "import glob, os, pathlib; HERE = pathlib.Path(__file__).parent\n"
    top += "from concurrent.futures import ThreadPoolExecutor"
    specs(folder, top, f"return {line}")
    with pytest.raises(UserError, match=LISTS % "all"):
        run()
    specs(folder, f"{top}; {line}", f"return {line}")
    assert run()
    write(folder, {"all/b.txt": "1"})
    with pytest.raises(UserError, match=LISTS % "all"):
        run()


@pytest.mark.parametrize(
    "line",
    [
        "os.makedirs(HERE / 'new' / 'deep'); return os.listdir(HERE / 'new')",
        "os.mkdir(HERE / 'new'); return [*(HERE / 'new').glob('*')]",
        "return os.listdir(HERE / 'runs')",
        "return os.listdir(HERE / '.hidden') if 0 else os.listdir(tempfile.mkdtemp())",
        "shutil.rmtree(HERE / 'all')",
        "import importlib; importlib.import_module('pkgutil')",
        "return os.listdir(os.path.dirname(os.__file__))",
        "return os.listdir('/proc/self')",
    ],
)
def test_a_folder_of_no_input_may_be_listed(folder, line):  # noqa: F811
    write(folder, {"all/a.txt": "1", "runs/a.sqlite": "1"})
    top = "import glob, os, pathlib, shutil, tempfile; HERE = pathlib.Path(__file__).parent"
    specs(folder, top, line)
    run()


@pytest.mark.parametrize(
    ("before", "line", "rejected"),
    [
        (OLD, "pass", True),
        (2**62, "pass", True),  # as of another clock
        (OLD, "os.chmod(GAIN, 0o600)", True),
        (OLD, "with GAIN.open('a') as file: file.write('2')", True),
        (OLD, "GAIN.write_text('2')", False),
        (OLD, "GAIN.unlink(); GAIN.touch()", False),
        (OLD, "GAIN.write_text('2'); os.utime(GAIN, (1, 1))", False),
    ],
)
def test_a_file_counts_as_made_meanwhile_by_who_made_it(folder, before, line, rejected):  # noqa: F811
    write(folder, {"gain.txt": "1"})
    os.utime(folder / "gain.txt", ns=(before, before))
    top = "import os, pathlib; GAIN = pathlib.Path(__file__).with_name('gain.txt')"
    specs(folder, top, f"{line}\n    return GAIN.read_text()")
    said = pytest.raises(UserError, match=r"reads .*gain\.txt only when a")
    with said if rejected else contextlib.nullcontext():
        run()
