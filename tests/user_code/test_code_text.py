"""The parts of a source that count: experiment and docstrings only if code uses them."""

from __future__ import annotations

import pytest

from attn_nlp.experiment.load import load_file
from attn_nlp.parts import registry
from tests.user_code.test_hashing import folder, specs, write  # noqa: F401 - a fixture

GAIN = "G = 1\ndef build(g):\n    global G; G = g\n    return Experiment(Cell(), [A], [T])\n"
MADE = """
A, T = vary("attention.score", "dot", "mine"), Table("T", "attention.score")
C, OPTIONS, NAMES = [], {}, "dot mine"
"""


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("experiment = build({})", True),
        ("def of(x): return {{'steps': x}}\nexperiment = Experiment(Cell(**of({})), [A], [T])", 1),
        (
            "def of(n): return {{'steps': n}}\n"
            "experiment = Experiment(Cell(**of({})), [vary('attention.score', 'dot', 'mine')], "
            "[Table('T', 'attention.score')])",
            False,
        ),
        ("experiment = Experiment(Cell(steps={}), [A], [T])", False),
        ("experiment: Experiment = Experiment(Cell(steps={}), [A], [T])", False),
        ("import attn_nlp.experiment as e; experiment = e.Experiment(Cell(steps={}), [A], [T])", 0),
        ("import attn_nlp.experiment as e\nfrom attn_nlp.experiment import Experiment as E\n"
         "experiment = E(Cell(steps={}), [A], [T])", False),
        ("experiment = Experiment(Cell(), [vary('attention.score', *NAMES.split()[:{} * 2])], [T])",
         False),
        ("experiment = Experiment(Cell(**{{k: {} for k in OPTIONS.items()}}), [A], [T])", False),
        ("import helper; experiment = Experiment(Cell(steps={} * helper.C), [A], [T])", False),
        ("import helper; experiment = Experiment(Cell(steps={}), [A, *helper.more()], [T])", True),
        ("from helper import more; experiment = Experiment(Cell(steps={}), [A, *more()], [T])", 1),
        ("experiment = Experiment(Cell(steps=(G := {})), [A], [T])", True),
        ("experiment = Experiment(Cell(), [A], [T, *(C.append({}) or C[1:])])", True),
        ("experiment = Experiment(Cell(), [A], [T, *map(build, [][{}:])])", True),
        ("experiment = Experiment(Cell(), [A], [T, *[t for t in map(C.append, [{}]) if t]])", 1),
        ("D = iter(range(9)); experiment = Experiment(Cell(steps=1 + 0 * next(D) + {}), [A], [T])",
         True),
        ("import random; experiment = Experiment(Cell(steps=random.randint({}, 9)), [A], [T])", 1),
        ("from random import randint as r; experiment = Experiment(Cell(steps=r({}, 9)), [A], [T])",
         True),
        ("def str(x): C.append(x)\nexperiment = Experiment(Cell(), [A], [T][: str({}) or 1])", 1),
        ("import numpy as np; experiment = Experiment(Cell(steps=int(np.linspace(1, {}, 2)[1])), "
         "[A], [T])", False),
        ("import numpy as np; experiment = Experiment(Cell(steps=np.random.randint({}, 9)), "
         "[A], [T])", True),
        ("import math as m; experiment = Experiment(Cell(steps=m.ceil({} / 2)), [A], [T])", False),
        ("from pathlib import Path; experiment = Experiment(Cell(), [A], "
         "[T][: len(str(Path('{}').parent))])", False),
    ],
)  # fmt: skip
def test_an_experiment_counts_where_code_of_the_user_s_makes_it(folder, line, counts):  # noqa: F811
    write(folder, {"helper.py": "C = 1\ndef more(): return []"})
    hashes = set()
    for value in (1, 2):
        specs(folder)
        text = (folder / "own.py").read_text().partition("experiment = ")[0]
        (folder / "own.py").write_text(text + GAIN + MADE + line.format(value))
        load_file(folder / "own.py")
        hashes.add(registry.find("score", "mine").code_hash)
    assert (len(hashes) == 2) is bool(counts)


ROWS = """
R = [Row("Mine, {}", {{"attention.score": each}}, cite="{}") for each in ("mine",)]
S = Table("T {}", [*R, Row("Dot", {{"attention.score": "dot"}}, reference={} > 1)])
"""


@pytest.mark.parametrize(
    ("line", "inside", "counts"),
    [
        (ROWS, "", False),
        ("def of(each): return {{'attention.score': each}}\nQ = Row('{}', of('mine'))", "", False),
        ("def of(x):\n    C.append(x)\n    return x\nNOTE = of({})", "", True),
        ("def of(x): return C.append(x)\nNOTE = of({})", "", True),
        ("def of(x): return x\nof = mine\nNOTE = of({}, 1)", "", True),
        ("def of(x, y=C.append(1)): return x\nNOTE = of({})", "", True),
        ("NOTE = {}", "", False),
        ("NOTE = {}\nMORE = [NOTE]", "", False),
        ("NOTE = {}", "q = NOTE", True),
        ("NOTE = {}\nMORE = [NOTE]", "q = MORE[0]", True),
        ("NOTE = {}\nUSED = 1 if NOTE > 1 else 2", "q = USED", True),
        ("NOTE = {}\nclass Of:\n    note = NOTE", "q = Of.note", True),
        ("NOTE = {}", "global NOTE; q = NOTE", True),
        ("NOTE = {}", "q = globals()", True),
        ("NOTE = {}\nfrom builtins import globals as all_of", "q = all_of()", True),
        ("NOTE = {}", "import sys; q = vars(sys.modules[__name__])", True),
        ("NOTE = {}", "q = eval('NO' + 'TE')", True),
        ("NOTE = {}", "import inspect", True),
        ("NOTE = {}", "q = mine.__globals__", True),
        ("NOTE = {}", "q: 'NOTE' = q", True),
        ("NOTE = {}\nimport helper", "q = helper.note()", True),
        ("NOTE = {}\nfor each in (1,): NOTE = each", "", True),
        ("NOTE = mine({}, 1)", "", True),
        ("NOTE = [C.append({})]", "", True),
        ("NOTE = score('more', label='{}')(lambda q, k: q)", "", True),
        ("def range(n): C.append(n)\nNOTE = range({})", "", True),
        ("__all__ = ['{}']", "", True),
        ("NOTE = {}", "import helper, own; q = getattr(own, 'NO' + 'TE')", True),
        ("NOTE = {}", "of = getattr; q = of(own, 'NO' + 'TE')", True),
        ("NOTE = {}", "import operator; q = operator.attrgetter('NO' + 'TE')", True),
        ("NOTE = {}", "import pkgutil as p; q = p.resolve_name('own:NO' + 'TE')", True),
        ("NOTE = {}", "q = mine.__getattribute__('NO' + 'TE')", True),
        ("NOTE = {}", "import jax; q = getattr(jax.nn, 're' + 'lu'); q = getattr(q, 'T')", False),
    ],
)
def test_what_only_arranges_the_experiment_does_not_count(folder, line, inside, counts):  # noqa: F811
    write(folder, {"helper.py": "def note():\n    import own; return own.NOTE"})
    hashes = set()
    for value in (1, 2):
        specs(folder, inside=inside)
        text, _, end = (folder / "own.py").read_text().partition("experiment = ")
        text = text.replace("Table, vary", "Row, Table, vary") + MADE
        (folder / "own.py").write_text(f"{text}{line.format(*[value] * 4)}\nexperiment = {end}")
        load_file(folder / "own.py")
        hashes.add(registry.find("score", "mine").code_hash)
    assert (len(hashes) == 2) is counts


@pytest.mark.parametrize("read", ["q = experiment", "experiment = k", ""])
def test_an_experiment_that_a_part_reads_counts(folder, read):  # noqa: F811
    hashes = set()
    for value in ("T", "U"):
        specs(folder, inside=read)
        text = (folder / "own.py").read_text()
        (folder / "own.py").write_text(text.replace('Table("T"', f'Table("{value}"'))
        load_file(folder / "own.py")
        hashes.add(registry.find("score", "mine").code_hash)
    assert (len(hashes) == 2) is (read == "q = experiment")


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("", False),
        ("G = __doc__", True),
        ("import inspect, sys; G = inspect.getdoc(sys.modules[__name__])", True),
        ('if __name__ == "__main__":\n    print(__doc__)', False),
    ],
)
def test_docstrings_count_where_the_code_reads_them(folder, line, counts):  # noqa: F811
    hashes = set()
    for value in (1, 2):
        specs(folder, line)
        text = (folder / "own.py").read_text().replace("Why?", str(value))
        (folder / "own.py").write_text(text)
        load_file(folder / "own.py")
        hashes.add(registry.find("score", "mine").code_hash)
    assert (len(hashes) == 2) is counts


def test_docstrings_of_a_helper_count_where_another_module_reads_them(folder):  # noqa: F811
    hashes = set()
    for value in (1, 2):
        write(folder, {"helper.py": f'"""{value}"""'})
        hashes.add(
            (specs(folder, "import helper")[1], specs(folder, "import helper; helper.__doc__")[1])
        )
    assert [len({*each}) for each in zip(*hashes, strict=True)] == [1, 2]
