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
    "in a method that is kept": (
        "class S:\n    def __init__(self, gain):\n        self.gain = gain\n    def get(self):\n"
        "        return self.gain\nG = S(f({})).get"
    ),
    "in a property": (
        "def make(gain):\n    return property(lambda self: gain)\nclass S:\n    gain = make(f({}))"
    ),
    "a closure of a cached function": (
        "import functools\ndef make(gain):\n    return functools.cache(lambda: gain)\n"
        "G = make(f({}))"
    ),
    "a closure of a compiled function": (
        "import jax\ndef make(gain):\n    return jax.jit(lambda: gain)\nG = make(f({}))"
    ),
    "beside an empty cell": (
        "def make(gain):\n    def get():\n        return gain, later\n    if gain < 0:\n"
        "        later = 1\n    return get\nG = make(f({}))"
    ),
    "last in a long list": "G = [0.5] * 1_100_000 + [f({})]",
    "last of many pairs": "G = {{str(n): n for n in range(150_000)}} | {{'g': f({})}}",
    "one number of a large array": (
        "import numpy\nG = numpy.asarray([1 / 3] * 50_000 + [1 / f({})])"
    ),
    "one text of many": "G = frozenset([str(n) for n in range(1_000)] + ['of ' + str(f({}))])",
    "deep": "G = [[[[[[[[[[[[f({})]]]]]]]]]]]]",
    "by a function that tells how long it took": (
        "import time\ndef load(name):\n    start = time.perf_counter()\n    gain = f(name)\n"
        "    print(time.perf_counter() - start)\n    return gain\nG = load({})"
    ),
    "by a function that another one times": (
        "import time\ndef timed(g):\n    def inner(*given):\n        start = time.time()\n"
        "        made = g(*given)\n        print(f'{{time.time() - start:.1f}} s')\n"
        "        return made\n    return inner\n"
        "@timed\ndef load(name):\n    return f(name)\nG = load({})"
    ),
    "of listed files": (
        "from pathlib import Path\nG = sum(f(file.parent) for file in sorted(Path({}).glob('one')))"
    ),
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
    "the clock by an attribute": (
        "import time\nclass Clock:\n    def __init__(self):\n        self.began = time.time()\n"
        "T = Clock()"
    ),
    "the clock by a change": (
        "import time\nT, U = {}, []\nT['at'] = time.time()\nU.append(time.time())\n"
        "def note(kept):\n    U.append(time.time()); kept['at'] = time.time()\nnote(T)"
    ),
    "the clock by a global": (
        "import time\nT = None\ndef note():\n    global T\n    T = time.time()\nnote()"
    ),
    "how long it took": (
        "import time\ndef load():\n    start = time.time()\n    took = time.time() - start\n"
        "    return 1, took\nT = load()"
    ),
    "how often within a time": (
        "import time\ndef count(n=0):\n    end = time.time() + 1e-3\n"
        "    while time.time() < end:\n        n += 1\n    return n\nT = count()"
    ),
    "last digits of what is computed": (
        "import numpy, os\nT = numpy.ones((99, 99)) @ numpy.ones((99, 99))\n"
        "T = T * (1 + 1e-9 * int.from_bytes(os.read(os.open('/dev/urandom', 0), 1), 'big'))"
    ),
    "an identity": "import os, uuid\nT = (os.getpid(), uuid.uuid4().hex)",
    "a path": "import os, pathlib, tempfile\nT = pathlib.Path(tempfile.mkdtemp())",
    "an address": "T = repr(object())",
    "a set of texts": "T = {c + 'x' for c in 'abc'}",
}


@pytest.mark.parametrize("name", VOLATILE)
def test_what_differs_from_run_to_run_by_nature_does_not_count(folder, name):  # noqa: F811
    assert specs(folder, VOLATILE[name]) == specs(folder, VOLATILE[name])


def test_outputs_in_a_folder_that_is_listed_do_not_count(folder):  # noqa: F811
    top = (
        "import os\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
        "T = os.listdir(HERE)\nU = [*os.scandir(HERE)]\nN = len(os.listdir(HERE))"
    )
    before = specs(folder, top)
    write(folder, {"runs/attn_nlp.sqlite": "", "__pycache__/a.pyc": "", "a.sqlite-wal": ""})
    assert specs(folder, top) == before


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
