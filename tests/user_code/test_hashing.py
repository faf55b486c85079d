"""A hash covers all of the user's that a part reaches, and nothing else."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment.load import load_file, resolve_file
from attn_nlp.parts import registry

IMPORT = "from attn_nlp.parts.registry import score\n"
PART = '''"""Why?"""
{top}
from attn_nlp.experiment import Cell, Experiment, Table, vary
from attn_nlp.parts.registry import score, variant

@score("mine"{line})
def mine(q, k):
    """Compare."""
    {inside}
    return q

experiment = Experiment(Cell(), [vary("attention.score", "dot", "mine")],
                        [Table("T", "attention.score")])
'''


@pytest.fixture
def folder(tmp_path, catalogue, monkeypatch):
    """A folder with an experiment file; modules and import path are put back afterward."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or tmp_path).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def specs(folder: Path, top: str = "", inside: str = "", line: str = "") -> list[str]:
    """The specs of the built-in score and of the user's own."""
    file = folder / "own.py"
    file.write_text(PART.format(top=top, inside=inside, line=line))
    return [cell["spec"] for cell in resolve_file(file).cells]


REACHED = {
    "a module": ("import helper", "", {"helper.py": "C = 1"}),
    "a name of a module": ("from helper import C", "", {"helper.py": "C = 1"}),
    "a module's module": ("import a", "", {"a.py": "import helper", "helper.py": "C = 1"}),
    "inside a function": ("", "import helper", {"helper.py": "C = 1"}),
    "a name of a package": (
        "import pack",
        "",
        {"pack/__init__.py": "from .inner import C", "pack/inner.py": "C = 1"},
    ),
    "a package's own text": (
        "",
        "import pack.inner",
        {"pack/__init__.py": "C = 1", "pack/inner.py": ""},
    ),
    "a submodule": (
        "from pack import inner",
        "",
        {"pack/__init__.py": "", "pack/inner.py": "C = 1"},
    ),
    "two levels up": (
        "import pack.low.deep",
        "",
        {"pack/low/deep.py": "from .. import inner", "pack/inner.py": "C = 1"},
    ),
    "a namespace": ("", "from space import inner", {"space/inner.py": "C = 1"}),
    "everything": ("", "from pack import x\n    import pack.all", {
        "pack/__init__.py": "x = 2", "pack/all.py": "from pack import *", "pack/inner.py": "C = 1",
    }),
    "a literal": ("import importlib", "importlib.import_module('helper')", {"helper.py": "C = 1"}),
    "a name made up": (
        "import importlib; importlib.import_module('hel' + 'per')",
        "",
        {"helper.py": "C = 1"},
    ),
    "a text that is run": (
        "import runpy; runpy.run_path(__file__.replace('own.py', 'helper.py'))",
        "",
        {"helper.py": "C = 1"},
    ),
    "from another folder": (
        "import sys; sys.path.append(__file__.replace('own.py', 'lib')); import helper",
        "",
        {"lib/helper.py": "C = 1"},
    ),
    "where Python would look": ("if True:\n    from helper import C", "", {"helper.py": "C = 1"}),
}  # fmt: skip


@pytest.mark.parametrize("case", REACHED)
def test_what_a_part_imports_is_in_the_spec(folder, case):
    """Every text is edited within the same second and to the same size, as bytecode is kept by."""
    top, inside, files = REACHED[case]
    write(folder, files)
    dot, mine = specs(folder, top, inside)
    assert specs(folder, top, inside) == [dot, mine]
    write(folder, {name: text.replace("C = 1", "C = 1  # one") for name, text in files.items()})
    commented = specs(folder, top, inside)
    assert (commented == [dot, mine]) == (case != "a text that is run")
    changed = {name: text.replace("C = 1", "C = 2") for name, text in files.items()}
    write(folder, changed)
    for name in changed:
        os.utime(folder / name, (1_000_000_000, 1_000_000_000))
    edited = specs(folder, top, inside)
    assert edited[0] == dot
    assert edited[1] != mine


def test_an_edit_of_a_helper_is_run_and_not_its_old_bytecode(folder):
    write(folder, {"helper.py": "C = 1"})
    for value in (1, 2):
        (folder / "helper.py").write_text(f"C = {value}")
        os.utime(folder / "helper.py", (1_000_000_000, 1_000_000_000))
        specs(folder, "import helper")
        assert value == sys.modules["helper"].C


def test_files_that_change_nothing_are_not_in_the_spec(folder):
    write(folder, {"helper.py": "C = 1", "beside.py": "C = 1", "test_own.py": "import own"})
    before = specs(folder, "import helper", "import json, os.path, numpy")
    write(folder, {"beside.py": "C = 2", "test_own.py": "", "more.py": ""})
    assert specs(folder, "import helper", "import json, os.path, numpy") == before
    moved = folder / "elsewhere"
    moved.mkdir()
    shutil.copy(folder / "helper.py", moved)
    assert specs(moved, "import helper", "import json, os.path, numpy") == before


@pytest.mark.parametrize(
    ("block", "counts"),
    [
        ('if __name__ == "__main__":\n    C = {}', False),
        ('if __name__ != "__main__":\n    C = {}', True),
        ('if __name__ == "__main__":\n    pass\nelse:\n    C = {}', True),
        ('if "__main__" == __name__:\n    pass\nelse:\n    C = {}', True),
        ('if not __name__ == "__main__":\n    C = {}', True),
        ('if __name__ == "__main__" or True:\n    C = {}', True),
        ('if __name__.startswith("attn"):\n    C = {}', True),
        ("# C = {}", False),
    ],
)
def test_only_what_a_run_never_enters_is_left_out(folder, block, counts):
    one, two = specs(folder, block.format(1)), specs(folder, block.format(2))
    assert (one != two) == counts


READS = {
    "while it is loaded": ("with open(HERE / 'gain.txt') as f: C = float(f.read())", ""),
    "by a path": ("C = (HERE / 'gain.txt').read_bytes()", ""),
    "by NumPy": ("import numpy; C = numpy.loadtxt(HERE / 'gain.txt')", ""),
    "by the system": ("import os; C = os.read(os.open(HERE / 'gain.txt', os.O_RDONLY), 9)", ""),
    "by a helper": ("import helper", ""),
    "in another folder": (
        "import os; os.chdir(HERE); C = pathlib.Path('gain.txt').read_text()",
        "",
    ),
    "as declared": ("", ", files=['gain.txt']"),
    "by a package": ("import pkgutil; C = pkgutil.get_data('pack', 'gain.txt')", ""),
    "by a loader": ("import pack; C = pack.__loader__.get_data(f'{HERE}/pack/gain.txt')", ""),
    "by an archive's loader": (
        "import zipimport; C = zipimport.zipimporter(f'{HERE}/z.zip').get_data('gain.txt')",
        "",
    ),
    "as code": (
        "import importlib.util as u; S = u.spec_from_file_location('x', HERE / 'gain.py')\n"
        "S.loader.exec_module(M := u.module_from_spec(S)); C = M.C",
        "",
    ),
    "by a line": ("import linecache; C = linecache.getline(f'{HERE}/gain.txt', 1)", ""),
    "as machine code": (
        "import contextlib, ctypes\n"
        "with contextlib.suppress(OSError): ctypes.CDLL(HERE / ('gain' '.txt'[:0] + '.txt'))",
        "",
    ),
    "in machine code": ("import ctypes; C = ctypes.CDLL(None); D = b'gain.txt'", ""),
}


@pytest.mark.parametrize("case", READS)
def test_data_that_a_part_reads_is_in_the_spec(folder, case):
    top, line = READS[case]
    here = "import pathlib; HERE = pathlib.Path(__file__).parent\n"
    write(folder, {"helper.py": f"{here}C = (HERE / 'gain.txt').read_text()"})
    write(folder, {"pack/__init__.py": ""})
    _write_gain(folder, "1.0")
    cwd = Path.cwd()
    before = specs(folder, here + top, line=line)
    assert specs(folder, here + top, line=line) == before
    _write_gain(folder, "2.0")
    edited = specs(folder, here + top, line=line)
    assert edited[0] == before[0]
    assert edited[1] != before[1]
    assert Path.cwd() == cwd


def test_data_of_one_name_in_two_folders_are_told_apart(folder):
    here = folder / "project"
    top = "import pathlib; HERE = pathlib.Path(__file__).parent.parent\n"
    top += "A, B = ((HERE / each / 'gain.txt').read_text() for each in 'ab')"
    write(folder, {"a/gain.txt": "1", "b/gain.txt": "2", "project/x": ""})
    before = specs(here, top)
    write(folder, {"a/gain.txt": "2", "b/gain.txt": "1"})
    assert specs(here, top)[1] != before[1]


def test_the_order_of_a_set_is_not_in_the_spec(tmp_path, catalogue, monkeypatch):
    """The hash of the paths, and so their order in a set, differs from folder to folder."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    helpers = [f"deep_{place}" for place in "abc"]
    top = "".join(f"from {name} import h\n" for name in helpers)
    top += "import pathlib; HERE = pathlib.Path(__file__).parent\n"
    top += "K = (HERE / 'configs/k.txt').read_text()"
    found = set()
    for number in range(8):
        folder = tmp_path / str(number)
        write(folder, {f"{name}/h.py": "H = 1" for name in helpers} | {"configs/k.txt": "1"})
        found.add(specs(folder, top)[1])
        for name in [each for each in sys.modules if each.partition(".")[0] in helpers]:
            del sys.modules[name]
    assert len(found) == 1


def _write_gain(folder, text):
    write(folder, {"gain.txt": text, "pack/gain.txt": text, "gain.py": f"C = {text}"})
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("gain.txt", text)


def test_a_cache_and_what_is_written_are_no_data(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    write(folder, {"cache/kept.txt": "1", ".git/HEAD": "1"})
    top = (
        "import pathlib; HERE = pathlib.Path(__file__).parent\n"
        "(HERE / 'cache/kept.txt').read_text(); (HERE / '.git/HEAD').read_text()\n"
        "(HERE / 'log.txt').write_text(str(HERE.stat()))"
    )
    before = specs(folder, top)
    write(folder, {"cache/kept.txt": "2", ".git/HEAD": "2", "log.txt": "3"})
    assert specs(folder, top) == before


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("['gian.txt']", r"files names 'gian.txt', but .*gian.txt is not a file"),
        ("['.']", "is a folder; name its files"),
        ("'gain.txt'", r"files is 'gain.txt'; write a list of paths, such as files=\["),
        ("[3]", "files names 3; give the path of a file"),
    ],
)
def test_declared_data_must_be_there(folder, files, message):
    with pytest.raises(UserError, match=message):
        specs(folder, line=f", files={files}")


def test_a_compiled_module_counts_by_its_bytes(folder):
    hashes = []
    for value in (1, 2):
        (folder / "helper.py").write_text(f"C = {value}")
        compileall.compile_file(folder / "helper.py", legacy=True, quiet=2, force=True)
        (folder / "helper.py").unlink()
        sys.modules.pop("helper", None)
        hashes.append(specs(folder, "import helper")[1])
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize("code", [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\nname = '\xe9'\n"])
def test_marks_and_declarations_of_an_encoding_are_read(folder, code):
    file = folder / "own.py"
    plain = specs(folder, "")
    file.write_bytes(code + file.read_bytes())
    assert resolve_file(file).cells[0]["spec"] == plain[0]
    assert registry.find("score", "mine").code_hash


def test_a_part_by_way_of_another_module_counts_both(folder):
    """A function of a helper, registered under a setting that stands in the experiment file."""
    write(folder, {"helper.py": "def made(c):\n    return lambda q, k: c * q\n"})
    given = f"import helper\n{IMPORT}score('made')(helper.made({{}}))"
    hashes = set()
    for value in (1, 2):
        specs(folder, given.format(value))
        hashes.add(registry.find("score", "made").code_hash)
    write(folder, {"helper.py": "def made(c):\n    return lambda q, k: c + q\n"})
    specs(folder, given.format(2))
    hashes.add(registry.find("score", "made").code_hash)
    assert len(hashes - {None}) == 3


CHANGES = ("h.C = {}", "h.C += {}", "setattr(h, 'C', {})", "h.D[0] = {}", "vars(h)['C'] = {}",
           "h.D.append({})", "def f(): h.D.append({})\nf()", "_ = h.D.extend([{}])",
           "from parts import E; E.update(g={})", "from parts import put; put({})",
           "map(h.put, [{}])", "if True:\n    h.put({})")  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_who_changes_a_module_belongs_to_it(folder, change):
    part = (
        "from attn_nlp.parts.registry import score\nC, D, E, put = 1, [1], {}, print\n"
        "@score('far')\ndef f(q): return q * C"
    )
    write(folder, {"parts.py": part})
    hashes = set()
    for top in ("C = 1", "C = h.D[0]", "print(2)"):  # nothing of the file is in the part
        specs(folder, f"import parts as h\n{top}")
        hashes.add(registry.find("score", "far").code_hash)
    assert len(hashes) == 1
    for value in (1, 2):
        specs(folder, "import parts as h\n" + change.format(value))
        hashes.add(registry.find("score", "far").code_hash)
    assert len(hashes) == 3


def test_a_built_in_function_under_another_name_and_a_variant_have_a_hash(folder):
    top = (
        "from attn_nlp.nn.parts.scores import *\n"
        "from attn_nlp.parts.registry import find, register, variant\n"
        "register('score', 'again')(find('score', 'dot').hooks['score'])\n"
        "variant('scale', 'half', of='constant', label='h', cite='', doc='', defaults={'c': %s})"
    )
    hashes = []
    for value in (0.5, 0.6):
        specs(folder, top % value)
        hashes.append([registry.find(*place).code_hash for place in PLACES])
    assert None not in hashes[0] + hashes[1]
    assert hashes[0][1] != hashes[1][1]


PLACES = (("score", "again"), ("scale", "half"))


def test_a_part_that_is_registered_twice_in_one_file_is_rejected(folder):
    with pytest.raises(UserError, match="the score name 'mine' is taken by 'mine'"):
        specs(folder, IMPORT + "score('mine')(lambda q, k: 2 * q)")
    write(folder, {"helper.py": IMPORT + "score('mine')(lambda q: q)"})
    with pytest.raises(UserError, match="the score name 'mine' is taken by 'mine'"):
        specs(folder, "import helper")


def test_the_hash_is_worked_out_once_for_a_load(folder, monkeypatch):
    write(folder, {"helper.py": "C = 1"})
    specs(folder, "import helper")
    part = registry.find("score", "mine")
    (folder / "helper.py").unlink()
    monkeypatch.setattr("attn_nlp.user_code.hashing.reach", None)
    assert registry.find("score", "mine").code_hash == part.code_hash


def test_a_script_has_the_same_specs_as_the_file_that_is_loaded(folder, monkeypatch):
    """`python own.py` has its modules from elsewhere, and no folder of its own after a change.

    What its top sets it has not found; what its last lines set is meant.
    """
    monkeypatch.setenv("MEANT", "3")
    write(folder, {"helper.py": "import importlib; importlib.import_module('fur' + 'ther')"})
    write(folder, {"further.py": "C = 1"})
    write(folder, {"adds.py": "import os; os.environ['ALSO'] = os.environ.get('ALSO', '') + '2'"})
    top = "import adds, helper, os; os.environ['LR'] = os.environ.get('LR', '1') + '2'\n"
    inside = "if 'LR' in os.environ: os.environ['LR'], os.environ.get('LR')"
    wanted = specs(folder, top + "C = os.environ.get('MEANT')", inside)
    monkeypatch.delenv("MEANT")
    monkeypatch.delenv("LR")
    monkeypatch.delenv("ALSO")
    with open(folder / "own.py", "a") as file:
        file.write(
            'if __name__ == "__main__":\n'
            "    os.environ['MEANT'] = '3'; os.chdir('/')\n"
            "    from attn_nlp.experiment.load import resolve_file\n"
            "    print(*(cell['spec'] for cell in resolve_file(__file__).cells))\n"
        )
    root = str(Path(registry.__file__).parents[1])
    said = subprocess.run(
        [sys.executable, str(folder / "own.py")],
        capture_output=True, text=True, cwd=folder.parent, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert said.stdout.split() == wanted, said.stderr
    load_file(folder / "own.py")


def test_code_as_deep_and_numbers_as_long_as_python_takes_are_hashed(folder):
    chain = "def f(x):\n    if x == 0:\n        return 0\n"
    chain += "".join(f"    elif x == {n}:\n        return {n}\n" for n in range(1, 400))
    long = f"M = 0x{'F' * 5000}\nS = {' + '.join(['1'] * 900)}\n"
    write(folder, {"helper.py": chain + long})
    first = specs(folder, "import helper")
    write(folder, {"helper.py": chain.replace("return 399", "return 400") + long})
    assert specs(folder, "import helper")[1] != first[1]
