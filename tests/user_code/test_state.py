"""What a module holds once it has run is in the hash, however it came by it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from attn_nlp.experiment.load import resolve_file
from tests.user_code.test_hashing import PART, folder, specs, write  # noqa: F401  a fixture

MTX = "%%MatrixMarket matrix array real general\n1 1\n{}\n"


def database(path, gain):
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(
            f"DROP TABLE IF EXISTS g; CREATE TABLE g (v); INSERT INTO g VALUES ({gain})"
        )


LEARNED = {
    "a number by a descriptor of a folder": (
        "import os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
        "D = os.open(HERE, os.O_RDONLY)\n"
        "with open('gain.txt', opener=lambda n, f: os.open(n, f, dir_fd=D)) as file:\n"
        "    GAIN = int(file.read())\nos.close(D)",
        lambda path: (path / "gain.txt").write_text("70"),
    ),
    "an attached database": (
        "import sqlite3, os\nC = sqlite3.connect(':memory:')\n"
        "C.execute('ATTACH ? AS o', [os.path.join(os.path.dirname(__file__), 'gains.db')])\n"
        "GAIN = C.execute('SELECT v FROM o.g').fetchone()[0]\nC.close()",
        lambda path: database(path / "gains.db", 70),
    ),
    "how many files there are": (
        "import os\nGAIN = sum(len(f) for *_, f, _ in os.fwalk(os.path.dirname(__file__) + '/in'))",
        lambda path: (path / "in" / "more").touch(),
    ),
    "whether there is a file, by os.access": (
        "import os\nGAIN = 1\n"
        "if os.access(os.path.join(os.path.dirname(__file__), 'flag'), os.F_OK):\n    GAIN = 2",
        lambda path: (path / "flag").touch(),
    ),
    "whether there is a module": (
        "import importlib.util as u\nGAIN = u.find_spec('tuned') is None",
        lambda path: (path / "tuned.py").touch(),
    ),
    "a matrix that a library reads in C++": (
        "import os, scipy.io\n"
        "GAIN = float(scipy.io.mmread(os.path.join(os.path.dirname(__file__), 'g.mtx'))[0, 0])",
        lambda path: (path / "g.mtx").write_text(MTX.format(70)),
    ),
}


@pytest.mark.parametrize("way", LEARNED)
def test_a_value_counts_however_it_was_learned(folder, way):  # noqa: F811
    top, change = LEARNED[way]
    write(folder, {"gain.txt": "10", "g.mtx": MTX.format(10), "in/one": ""})
    database(folder / "gains.db", 10)
    first = specs(folder, top)
    assert specs(folder, top) == first
    change(folder)
    second = specs(folder, top)
    assert second[0] == first[0]
    assert second[1] != first[1]


KINDS = {
    "a number": "G = f({})",
    "a rounded number": "G = 1 / f({})",
    "a text": "G = str(f({}))",
    "in containers": "G = dict(a=[(1, {{f({})}})])",
    "an array": "import numpy\nG = numpy.full(3, f({}))",
    "an array of fractions": "import numpy\nG = numpy.linspace(0, 1, 9) * f({})",
    "the order in an array": "import numpy\nG = numpy.roll(numpy.linspace(0, 1, 9), f({}))",
    "an array of JAX": "import jax.numpy\nG = jax.numpy.full(3, float(f({})))",
    "an attribute of an object": "class S: pass\nG = S()\nG.gain = f({})",
    "a slot": "class S:\n    __slots__ = ('gain',)\nG = S()\nG.gain = f({})",
    "an attribute of a class": "class S:\n    gain = f({})",
    "an enum": "import enum\nclass S(enum.Enum):\n    A = f({})",
    "a default": "def g(gain=f({})):\n    return gain",
    "a closure": "def make(gain):\n    return lambda: gain\nG = make(f({}))",
    "a partial": "import functools\nG = functools.partial(max, f({}))",
    "what a statement changes": "G = {{}}\nG.update(gain=f({}))",
    "in a loop": "for _ in range(1):\n    G = f({})",
    "in a with": "import contextlib\nwith contextlib.nullcontext(f({})) as G:\n    pass",
    "a mangled name": "_S__gain = f({})\nclass S:\n    def g(self):\n        return __gain",
    "of a helper": "import helper",
}
ANSWER = (
    "import os\n\ndef f(name):\n    return sum(len(files) for *_, files, _ in os.fwalk(name))\n\n"
)


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_kind_count(folder, kind):  # noqa: F811
    files = {"in/one": "", "in/two": ""}
    text = KINDS[kind].format(repr(str(folder / "in")))
    if kind == "of a helper":
        files["helper.py"] = f"{ANSWER}G = f({str(folder / 'in')!r})\n"
    write(folder, files)
    top = ANSWER + text
    first = specs(folder, top)
    assert specs(folder, top) == first
    (folder / "in" / "three").touch()
    assert specs(folder, top)[1] != first[1]


VOLATILE = {
    "the clock": "import time\nT = time.time()",
    "the clock by a function": "import time\ndef now():\n    return time.time()\nT = now()",
    "an identity": "import os, uuid\nT = (os.getpid(), uuid.uuid4().hex)",
    "a path": "import os, pathlib, tempfile\nT = pathlib.Path(tempfile.mkdtemp())",
    "an address": "T = repr(object())",
    "a set of texts": "T = {c + 'x' for c in 'abc'}",
}


@pytest.mark.parametrize("name", VOLATILE)
def test_what_differs_from_run_to_run_by_nature_does_not_count(folder, name):  # noqa: F811
    assert specs(folder, VOLATILE[name]) == specs(folder, VOLATILE[name])


def test_a_place_does_not_count_and_the_files_name_does_if_a_function_reads_it(
    folder,  # noqa: F811
):
    top = "import os\nHERE = os.path.dirname(os.path.abspath(__file__))"
    write(folder, {"a/x": "", "b/x": ""})
    assert specs(folder / "a", top) == specs(folder / "b", top)
    inside = "return int(__file__[-4])"
    found = specs(folder / "a", inside=inside)
    assert found == specs(folder / "b", inside=inside)
    os.rename(folder / "a" / "own.py", folder / "a" / "other.py")
    assert [cell["spec"] for cell in resolve_file(folder / "a" / "other.py").cells][1] != found[1]


def spec_of(file, text):
    file.write_text(text)
    return resolve_file(file).cells[1]["spec"]


def test_the_name_of_a_copied_file_counts_where_a_value_comes_from_it(folder):  # noqa: F811
    top = "from pathlib import Path\nGAIN = int(Path(__file__).stem.split('_')[1])"
    text = PART.format(top=top, inside="", line="")
    assert spec_of(folder / "idea_10.py", text) != spec_of(folder / "idea_70.py", text)


def test_what_the_experiment_changes_in_an_object_counts(folder):  # noqa: F811
    top = (
        "class Settings(dict):\n    def get(self, name, other):\n"
        "        return self.setdefault(name, other)\nS = Settings()\n"
    )
    text = PART.format(top=top, inside="", line="").replace('"T"', "f\"T{S.get('g', GAIN) * 0}\"")
    texts = [text.replace("GAIN", gain) for gain in ("10", "70", "10")]
    one, other, again = (spec_of(folder / "own.py", each) for each in texts)
    assert one == again != other
