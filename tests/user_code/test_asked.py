"""Inputs of a part other than files that Python opens are hashed, or rejected."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing

import pytest

from attn_nlp.errors import UserError
from attn_nlp.parts import registry
from attn_nlp.runner import variables
from attn_nlp.user_code import modules
from attn_nlp.user_code.watching import watching
from tests.user_code.test_hashing import folder, specs, write  # noqa: F401 - a fixture
from tests.user_code.test_watching import codes

HERE = "import glob, os, pathlib, sqlite3; HERE = pathlib.Path(__file__).parent\n"


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("C = float(os.environ.get('GAIN', '1'))", True),
        ("C = float(os.environ['GAIN'])", True),
        ("C = float(os.getenv('GAIN'))", True),
        ("C = float(os.environb[b'GAIN'])", True),
        ("C = float(os.path.expandvars('$GAIN'))", True),
        ("C = os.getenv('GAIN'); os.environ['GAIN'] = '9'; D = os.environ['GAIN']", True),
        ("C = os.environ.pop('GAIN'); D = os.environ.get('GAIN')", True),
        ("C = os.environ.setdefault('GAIN', '9')", True),
        ("os.environ['GAIN'] = '9'; D = os.environ['GAIN']", False),
        ("import string; C = string.Template('$GAIN').substitute(os.environ)", True),
        ("import a_library; C = a_library.setting('GAIN')", True),
        ("import a_library; C = a_library.other()", True),
        ("import a_library; C = a_library.child()", True),
        ("C = os.environ.get('OTHER'); D = os.path.expanduser('~')", False),
    ],
)
def test_variables_that_are_read_while_the_file_loads_count(
    folder,  # noqa: F811
    monkeypatch,
    line,
    counts,
):
    library = folder / "site-packages"
    text = "import os\nsetting = os.environ.get\ndef setting(name): return os.environ[name]\n"
    text += "def other(): return os.environ['GA' 'IN']\ndef child(): return dict(os.environ)\n"
    write(library, {"a_library.py": text})
    monkeypatch.syspath_prepend(library)
    found = []
    for value in ("1", "2"):
        monkeypatch.setenv("GAIN", value)
        monkeypatch.setenv("HOME", f"/home/{value}")
        found.append(specs(folder, f"import os\n{line}"))
    assert found[0][0] == found[1][0]  # of a part that reads nothing
    assert (found[0][1] != found[1][1]) is counts


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        *((name, True) for name in ("JAXMODEL_LR", "PYTHON_LR", "PYTHONIC", "CUDA_GAIN")),
        *((name, True) for name in ("XLA_GAIN", "ATTN_NLP_GAIN")),
        *((name, False) for name in ("JAX_PLATFORMS", "PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES")),
        *((name, False) for name in ("XLA_FLAGS", "ATTN_NLP_CACHE", "OMP_NUM_THREADS")),
    ],
)
def test_a_name_of_the_user_s_own_counts_though_it_begins_as_a_library_s(
    folder,  # noqa: F811
    monkeypatch,
    name,
    counts,
):
    found = set()
    for value in ("1", "2"):
        monkeypatch.setenv(name, value)
        found.add(specs(folder, f"import os; C = os.environ.get({name!r})")[1])
        assert variables.for_workers({name: value}).get(name) == value or not counts
    assert (len(found) == 2) is counts


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("try: del os.environ['GAIN']; C = 1\nexcept KeyError: C = 0", True),
        ("if 'GAIN' not in os.environ: os.environ['GAIN'] = '1'", True),
        ("os.environ.setdefault('GAIN', '1')", False),
    ],
)
def test_whether_a_variable_is_set_counts_where_the_code_learns_it(
    folder,  # noqa: F811
    monkeypatch,
    line,
    counts,
):
    monkeypatch.setenv("GAIN", "1")
    before = specs(folder, f"import os\n{line}")
    specs(folder)
    monkeypatch.delenv("GAIN")
    found = [specs(folder, f"import os\n{line}") for _ in range(2)]
    assert found[0] == found[1]  # what the file sets is not there when it is run once more
    assert (found[0][1] != before[1]) is counts


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dict(os.environ)['GAIN']", "own.py, line 2, reads all environment variables at once, "),
        ("os.environ.copy()", r".*read the one that you need by name: os\.environ\.get\("),
        ("{**os.environ}", "own.py, line 2, reads all"),
        ("os.environ | {}", "own.py, line 2, reads all"),
        ("[v for k, v in os.environ.items() if k == 'GAIN']", "own.py, line 2, reads all"),
        ("dict(os.environb)", "own.py, line 2, reads all"),
        (
            "__import__('subprocess').check_output(['true'])",
            r"own.py, line 2, starts another program, and a change of what that reads would go "
            r"unnoticed; read the file in Python, or name it in the part's decorator: "
            r"files=\[\"FILE\"\]\.",
        ),
        ("__import__('posix').environ[b'GAIN']", "own.py, line 2, reads all"),
        (
            "__import__('pathlib').Path('/proc/self/environ').read_text()",
            "own.py, line 2, reads all",
        ),
        ("os.system('true')", "own.py, line 2, starts another program"),
        (
            "os.environ.get('JAX_GAIN')",
            "own.py, line 2, reads the environment variable JAX_GAIN, whose name begins like "
            "those of a library, so no process that trains cells inherits it; give yours another",
        ),
    ],
)
def test_what_nobody_can_see_is_rejected(folder, monkeypatch, line, message):  # noqa: F811
    monkeypatch.setenv("GAIN", "1")
    monkeypatch.setenv("JAX_GAIN", "1")
    with pytest.raises(UserError, match=message):
        specs(folder, f"import os; C = {line}")


def test_a_child_is_allowed_if_the_part_names_its_files(folder):  # noqa: F811
    write(folder, {"gain.txt": "1"})
    top = "import os, platform; os.system('true')"
    specs(folder, top, line=", files=['gain.txt']")
    specs(folder, top.replace("os.system('true')", "platform.processor()"))


LOOKS = {
    "C = (HERE / 'strong').exists()": "strong",
    "C = os.path.isfile(HERE / 'strong')": "strong",
    "C = (HERE / 'many').is_dir()": "many/a.txt",
    "C = os.listdir(HERE / 'all')": "all/b.w",
    "C = [*os.scandir(HERE / 'all')]": "all/b.w",
    "C = [*(HERE / 'all').iterdir()]": "all/b.w",
    "C = [*HERE.glob('*.w')]": "b.w",
    "C = [*HERE.rglob('*.w')]": "all/b.w",
    "C = glob.glob(str(HERE / '*.w'))": "b.w",
    "C = glob.glob('*.w', root_dir=HERE)": "b.w",
    "C = [*os.walk(HERE / 'all')]": "all/deep/b.w",
}


@pytest.mark.parametrize("line", LOOKS)
def test_which_files_there_are_counts(folder, line):  # noqa: F811
    write(folder, {"all/a.w": "1", "all/deep/a.w": "1"})
    before = specs(folder, HERE + line)
    outputs = {"runs/attn_nlp.sqlite": "1", "all/__pycache__/a.pyc": "1", "all/.b.w": "1"}
    write(folder, {**outputs, "beside.txt": "1"})
    assert specs(folder, HERE + line) == before
    write(folder, {LOOKS[line]: "1"})
    after = specs(folder, HERE + line)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_file_that_the_part_writes_is_not_an_input(folder):  # noqa: F811
    line = "pathlib.Path(HERE / 'new').mkdir(exist_ok=True); (HERE / 'new/a.txt').write_text('1')"
    before = specs(folder, HERE + line)
    assert specs(folder, HERE + line) == before


def store(file, value):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS t (g)")
        database.execute("DELETE FROM t")
        database.execute("INSERT INTO t VALUES (?)", [value])


def asked(name: str) -> str:
    read = "db.execute('SELECT g FROM t').fetchone()[0]"
    return f"[db := sqlite3.connect({name}), {read}, db.close()][1]"


@pytest.mark.parametrize("name", ["HERE / 'g.db'", "f'file:{HERE}/g.db?mode=ro', uri=True"])
def test_a_database_is_data(folder, name):  # noqa: F811
    found = []
    for value in (1, 1, 2):
        store(folder / "g.db", value)
        os.utime(folder / "g.db", (1, 1))
        found.append(specs(folder, f"{HERE}C = {asked(name)}", "return C"))
        assert registry.find("score", "mine").hooks["score"](0, 0) == value
    assert len({mine for _, mine in found}) == 2 + (found[0] != found[1])
    assert len({dot for dot, _ in found}) == 1


def test_a_database_that_a_hook_asks_is_rejected(folder):  # noqa: F811
    store(folder / "g.db", 1)
    os.utime(folder / "g.db", (1, 1))
    specs(folder, HERE, f"return {asked(NAMED)}")
    score = registry.find("score", "mine").hooks["score"]
    message = r"own\.py, line .*, reads .*g\.db only when a"
    with pytest.raises(UserError, match=message), watching(codes()):
        score(0, 0)


NAMED = "HERE / 'g.db'"


@pytest.mark.parametrize(
    ("top", "inside", "counts"),
    [
        ("C = a_library.read(HERE / 'gain.bin')", "", True),
        ("C = a_library.read(f'{HERE}/gain.bin')", "", True),
        ("", "return a_library.read('gain.bin')", True),
        ("import helper; C = helper.NAME", "", True),
        ("", "q.to_binary('gain.bin')", False),
        ("(HERE / 'gain.bin').write_bytes(b'1')", "", False),
        ("C = numpy.add", "'gain.bin'", False),
        ("C = a_library.read\nOUT = 'gain.bin'", "q.to_binary(OUT)", False),
        ("OUT = HERE / 'gain.bin'", "open(OUT, 'a').write('')", False),
        ("import logging", "logging.FileHandler('gain.bin', delay=True)", False),
        ("OUT = 'gain.bin'\nif __name__ == '__main__': print(OUT)", "", False),
        ("OUT = 'gain.bin'\nALSO = OUT", "q.save(str(ALSO)); q.note(OUT)", False),
        ("OUT = 'gain.bin'\nif __name__ == '__main__': print(OUT)", "q.use(OUT)", True),
        ("OUT = 'gain.bin'", "q.save(OUT); return a_library.read(OUT)", True),
        ("C = {'out': 'gain.bin', 'data': 'other'}", "q.save(C['out']); q.read(C['data'])", False),
        ("C = {'out': 'other', 'data': 'gain.bin'}", "q.save(C['out']); q.read(C['data'])", True),
        ("class C:\n    data: str = 'gain.bin'", "return a_library.read(C.data)", True),
        ("OUT = 'gain.bin'", "shutil.copy('x', OUT)", False),
        ("IN = 'gain.bin'", "shutil.copy(IN, 'x')", True),
        ("class C:\n    out: str = 'gain.bin'", "q.savefig(C.out)", False),
    ],
)
def test_files_that_a_library_reads_in_c_are_told_by_their_names(
    folder,  # noqa: F811
    monkeypatch,
    top,
    inside,
    counts,
):
    write(folder, {"site-packages/a_library.py": "def read(file): return 1", "gain.bin": "1"})
    write(folder, {"helper.py": "NAME = 'gain.bin'"})
    monkeypatch.syspath_prepend(folder / "site-packages")
    name = "numpy" if "numpy" in top else "a_library"
    before = specs(folder, f"{HERE}import {name}\n{top}", inside)
    assert specs(folder, f"{HERE}import {name}\n{top}", inside) == before
    write(folder, {"gain.bin": "2"})
    after = specs(folder, f"{HERE}import {name}\n{top}", inside)
    assert after[0] == before[0]
    assert (after[1] != before[1]) is counts


def test_settings_that_a_library_reads_when_it_is_imported_are_no_data(folder, monkeypatch):  # noqa: F811
    """It reads them once a process, such as a `matplotlibrc`: no second run would see them."""
    library = "import pathlib\ndef read(file): return pathlib.Path(file).read_text()\n"
    library += "C = read('settings.cfg')"
    write(folder, {"site-packages/a_library.py": library, "settings.cfg": "1"})
    monkeypatch.syspath_prepend(folder / "site-packages")
    monkeypatch.chdir(folder)
    sys.modules.pop("a_library", None)
    first = specs(folder, "import a_library")
    assert specs(folder, "import a_library") == first
    asked_for = "import a_library; C = a_library.read('settings' + '.cfg')"
    seen = [specs(folder, asked_for)]
    write(folder, {"settings.cfg": "2"})
    seen.append(specs(folder, asked_for))
    assert seen[0][1] != seen[1][1]


def test_the_dataset_of_the_experiment_is_not_data_of_a_part(folder, monkeypatch):  # noqa: F811
    write(folder, {"site-packages/a_library.py": "", "reviews.csv": "text,label\na,0\nb,1\n"})
    monkeypatch.syspath_prepend(folder / "site-packages")
    monkeypatch.chdir(folder)
    hashes = []
    for more in ("", "c,1\n"):
        with open("reviews.csv", "a") as file:
            file.write(more)
        specs(folder, "import a_library")
        text = (folder / "own.py").read_text().replace("Cell()", "Cell(dataset='reviews.csv')")
        (folder / "own.py").write_text(text)
        registry_hash(folder / "own.py", hashes)
    assert len(set(hashes)) == 1


def registry_hash(file, hashes):
    from attn_nlp.experiment.load import load_file

    load_file(file)
    hashes.append(registry.find("score", "mine").code_hash)


def test_a_project_below_a_folder_named_as_python_s_own_is_the_user_s(folder, monkeypatch):  # noqa: F811
    below = folder / "site-packages"
    write(below, {"helper.py": "C = 1"})
    before = specs(below, "import helper")
    write(below, {"helper.py": "C = 2"})
    assert specs(below, "import helper")[1] != before[1]
    assert not modules.is_own(pytest.__file__)
    for script, own in ((below / "own.py", True), (registry.__file__, False)):
        monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
        monkeypatch.syspath_prepend(os.path.dirname(script))
        modules._foreign.cache_clear()
        modules._is_own.cache_clear()
        assert modules.is_own(str(below / "helper.py")) is own
        assert not modules.is_own(registry.__file__)
    assert not modules.is_own(os.__file__)
