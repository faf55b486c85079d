"""Experiment files, and what the command line changes about them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import attn_nlp
from attn_nlp.errors import UserError
from attn_nlp.experiment.load import Overrides, load_file, resolve_file

FILE = '''"""Do heads matter?

Question. Do they?
"""

from attn_nlp.experiment import Cell, Experiment, Row, Table, together, vary

experiment = Experiment(
    base=Cell(steps=5),
    axes=[
        vary("attention.scale", "none", "rsqrt_dim", "constant(0.5)"),
        together({"heads": 1, "width": 8}, {"heads": 2, "width": 16}),
        vary("dataset", "planted_lookup", "docstrings"),
        vary("seed", 0, 1, 2),
    ],
    tables=[
        Table("Wide", "attention.scale", columns="dataset", where={"heads": 2}),
        Table("Narrow", "attention.scale", columns="dataset", where={"heads": 1}),
    ],
)
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "heads.py"
    path.write_text(FILE)
    yield path
    sys.modules.pop("attn_nlp_experiment_heads", None)
    for name in ("helper", "inner", "uncommon"):
        sys.modules.pop(name, None)


def values(resolved, path: str) -> list:
    return list(dict.fromkeys(cell["settings"][path] for cell in resolved.cells))


def test_a_file_gives_the_same_cells_in_the_same_order_each_time(file):
    one, two = resolve_file(file), resolve_file(file)
    assert one == two
    assert one.name == "heads"
    assert one.question == "Do heads matter?\n\nQuestion. Do they?"
    assert len(one.cells) == 36


def test_overrides(file):
    found = resolve_file(
        file,
        Overrides(
            datasets=["docstrings"],
            seeds=5,
            steps=9,
            only=["attention.scale=none,constant(0.5)", "heads=2"],
            settings=["learning_rate=0.5"],
        ),
    )
    assert values(found, "dataset") == ["docstrings"]
    assert values(found, "seed") == [0, 1, 2, 3, 4]
    assert values(found, "steps") == [9]
    assert values(found, "attention.scale") == ["none", "constant(c=0.5)"]
    assert values(found, "heads") == [2]
    assert values(found, "learning_rate") == [0.5]
    assert [table["title"] for table in found.tables] == ["Wide"]
    assert len(found.tables[0]["rows"]) == 2


def test_an_axis_may_get_other_values(file):
    found = resolve_file(file, Overrides(settings=["attention.scale=inv_dim,constant(c=2)"]))
    assert values(found, "attention.scale") == ["inv_dim", "constant(c=2.0)"]


def test_the_reference_of_a_table_stays(file):
    file.write_text(
        FILE.replace('"attention.scale", columns', '"attention.scale", reference="none", columns')
    )
    with pytest.raises(UserError, match="the reference of table 'Wide' is none"):
        resolve_file(file, Overrides(only=["attention.scale=rsqrt_dim"]))
    kept = resolve_file(file, Overrides(only=["attention.scale=rsqrt_dim,none"]))
    assert values(kept, "attention.scale") == ["none", "rsqrt_dim"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"seeds": 0}, "--seeds is 0; give at least 1"),
        ({"steps": 0}, "steps is 0; allowed: integers >= 1"),
        ({"only": ["heads"]}, "--only 'heads': write it as path=value or path=value,value"),
        ({"only": ["heads=3"]}, "axis 'heads' has no value 3; it has 1, 2"),
        ({"only": ["head=1"]}, r"unknown axis 'head'; .*Did you mean 'heads'\?"),
        (
            {"only": ["norm=pre"]},
            "this experiment has no axis 'norm'; it has attention.scale, heads",
        ),
        ({"settings": ["steps="]}, "--set 'steps=': write it as path=value"),
        ({"settings": ["step=3"]}, r"unknown setting 'step'; .*Did you mean 'steps'\?"),
        (
            {"settings": ["norm=pre,post"]},
            "this experiment does not vary 'norm', and its tables cannot show 2 values; give "
            "one value",
        ),
        (
            {"settings": ["heads=2"]},
            "'heads' varies together with width; use --only heads=... to choose among its values",
        ),
        ({"settings": ["steps=many"]}, "steps is an integer, not 'many'"),
        ({"settings": ["attention.scale=constnt(1)"]}, "unknown scale 'constnt'"),
    ],
)
def test_wrong_overrides_are_rejected(file, overrides, message):
    with pytest.raises(UserError, match=message):
        resolve_file(file, Overrides(**overrides))


def test_options_that_leave_no_table_are_rejected(file):
    file.write_text(FILE.replace('where={"heads": 1}', 'where={"heads": 2}'))
    with pytest.raises(UserError, match="no table has any cell left; the tables are: Wide; Narrow"):
        resolve_file(file, Overrides(only=["heads=1"]))


def test_wrong_files_are_rejected(file, tmp_path):
    with pytest.raises(
        UserError, match=r"no experiment file '.*haeds.py'. Did you mean '.*heads.py'\?"
    ):
        load_file(tmp_path / "haeds.py")
    with pytest.raises(UserError, match="no experiment file"):
        load_file(tmp_path / "no" / "folder.py")
    (tmp_path / "heads.txt").write_text("")
    with pytest.raises(UserError, match=r"is not an experiment file; its name must end in \.py"):
        load_file(tmp_path / "heads.txt")
    file.write_text("x = 1\n")
    with pytest.raises(UserError, match=r"does not define `experiment = Experiment\(\.\.\.\)`"):
        load_file(file)
    file.write_text("x = = 1\n")
    with pytest.raises(UserError, match=r"heads\.py, line 1: invalid syntax"):
        load_file(file)


def told(file, top: str, **helpers: str) -> str:
    """Return the message on the file with some lines before it."""
    for name, text in helpers.items():
        (file.parent / f"{name}.py").write_text(text)
    file.write_text(f"{top}\n{FILE}")
    with pytest.raises(UserError) as raised:
        load_file(file)
    return str(raised.value).replace(f"{file.parent}/", "")


UNTOLD = """class E(Exception):
    def __str__(self):
        raise RuntimeError
raise E"""


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("import sys\nsys.exit()", "heads.py, line 2: the file calls sys.exit(); it must"),
        ("raise SystemExit(0)", "heads.py, line 1: the file calls sys.exit()"),
        ("quit()", "heads.py, line 1: "),
        (UNTOLD, "heads.py, line 4: E: (its message cannot be printed)."),
        ("raise ValueError", "heads.py, line 1: ValueError."),
        ("raise ValueError('Really.')", "heads.py, line 1: ValueError: Really."),
        ("class B(BaseException): pass\nraise B('b')", "heads.py, line 2: B: b."),
        ("def f(n): f(n + 1)\nf(0)", "heads.py, line 1: RecursionError: maximum recursion depth"),
        (
            "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('old')",
            "heads.py, line 3: UserWarning: old.",
        ),
        ("eval('1 +')", "heads.py, line 1: SyntaxError: invalid syntax"),
        ("import nowhere", "heads.py, line 1: ModuleNotFoundError: No module named 'nowhere'."),
        (
            "from attn_nlp.experiment import Cell\nCell(steps=0)",
            "heads.py, line 2: steps is 0; allowed",
        ),
        (
            "from attn_nlp.parts.registry import score\n\n@score\ndef f(q, k): return q",
            "heads.py, line 3: @score is above 'f' without a name; write @score(\"f\")",
        ),
    ],
)
def test_a_file_that_cannot_be_run_is_told_by_its_line(file, top, said, monkeypatch):
    monkeypatch.setattr("warnings.filters", [])
    found = told(file, top)
    assert found.startswith(said)
    assert not found.endswith("..")


def test_ctrl_c_while_a_file_is_read_is_no_mistake(file):
    file.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_file(file)


def test_the_innermost_line_of_ones_own_is_named(file):
    helper = "import json\n\ndef f(text):\n    json.loads(text)\n"
    found = told(file, "import helper\nhelper.f('{')", helper=helper)
    assert found.startswith("helper.py, line 4, by way of heads.py, line 2: JSONDecodeError: ")
    assert told(file, "import helper", helper="x = = 1") == "helper.py, line 1: invalid syntax."


@pytest.mark.parametrize("value", ["Table", "Table('T', 'seed')", "3", "Experiment"])
def test_an_experiment_of_another_type_is_rejected(file, value):
    file.write_text(f"{FILE}\nexperiment = {value}\n")
    kind = {"3": "int", "Experiment": "Experiment"}.get(value, "Table")
    with pytest.raises(UserError, match=f"`experiment` of .*heads.py' is of type {kind}; write"):
        load_file(file)


def test_modules_beside_a_file_are_its_own(file, tmp_path):
    """The first file's helper is not handed to the second, nor an old one to an edited file."""
    other = tmp_path / "more" / "heads.py"
    other.parent.mkdir()
    for each, steps in ((file, 3), (other, 4), (file, 5)):
        each.with_name("helper.py").write_text(f"STEPS = {steps}")
        each.write_text(FILE.replace("steps=5", "steps=helper.STEPS"))
        each.write_text("import helper\n" + each.read_text())
        assert values(resolve_file(each), "steps") == [steps]


def test_modules_beside_a_file_are_found_by_functions_later(file, tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text("C = 3")
    file.write_text(f"{FILE}\ndef late():\n    import helper\n    return helper.C\n")
    monkeypatch.chdir("/")
    load_file(file)
    assert sys.modules["attn_nlp_experiment_heads"].late() == 3
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize("name", ["json", "queue", "click", "datasets"])
def test_a_module_beside_a_file_takes_no_name_that_others_need(file, tmp_path, name):
    (tmp_path / f"{name}.py").write_text("raise SystemExit('run all the same')")
    load_file(file)  # nobody of the user's asks for it
    sys.modules.pop(name if name == "queue" else "", None)
    importlib.import_module("queue")
    found = told(file, f"try:\n    import {name}\nexcept BaseException: pass")
    assert found == (
        f"{name}.py has the name of a module that Python or attn_nlp needs, {name!r}; give your "
        "file another name."
    )


def test_a_file_beside_the_package_itself_is_read(file, tmp_path):
    """As in the checkout from which the package is installed; another copy is rejected."""
    package = Path(attn_nlp.__file__).parent
    (tmp_path / "attn_nlp").symlink_to(package)
    load_file(file)  # is not rejected
    (tmp_path / "attn_nlp").unlink()
    (tmp_path / "attn_nlp").mkdir()
    (tmp_path / "attn_nlp/__init__.py").touch()
    assert told(file, "").startswith("attn_nlp/__init__.py has the name of a module that Python")


def test_a_file_that_reads_itself_is_rejected(file):
    top = "from attn_nlp.experiment.load import load_file\nload_file(__file__)"
    assert "is being read; put what reads it again below `if __name__ ==" in told(file, top)


def test_a_file_may_build_on_another(file, tmp_path):
    (tmp_path / "helper.py").write_text("STEPS = 7")
    base = tmp_path / "base.py"
    base.write_text("import helper\n" + FILE.replace("steps=5", "steps=helper.STEPS"))
    file.write_text(
        "from pathlib import Path\nfrom attn_nlp.experiment.load import load_file\n"
        "experiment, _, _ = load_file(Path(__file__).with_name('base.py'))\n"
    )
    assert values(resolve_file(file), "steps") == [7]


def test_a_file_draws_the_same_numbers_at_every_load_and_prints_to_stderr(file, capsys):
    import random

    file.write_text(
        "import random\nimport numpy as np\nprint('hello')\n"
        "drawn = random.random(), np.random.rand()\n" + FILE.partition('"""\n\n')[2]
    )
    random.seed(7)
    expected = random.random()
    random.seed(7)
    drawn = []
    for _ in range(2):
        load_file(str(file))
        drawn.append(sys.modules["attn_nlp_experiment_heads"].drawn)
    assert drawn[0] == drawn[1]
    assert random.random() == expected
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\nhello\n")


def test_variables_that_a_file_reads_while_it_loads_are_noted(tmp_path, monkeypatch):
    import os

    from attn_nlp.user_code.loading import loading

    path = tmp_path / "mine.py"
    path.write_text("import os\nA = os.getenv('MYC')\nB = 'MYD' in os.environ\n")
    usual, hashes = type(os.environ), []
    for value in ("1", "2", "1"):
        monkeypatch.setenv("MYC", value)
        with loading(str(path)) as load:
            exec(compile(path.read_text(), str(path), "exec"), {"__name__": "mine"})
        assert load.variables == {str(path): {"MYC": [value], "MYD": [None]}}
        hashes.append(sorted(load.lines(str(path))))
    assert hashes[0] == ["$MYC = '1'", "$MYD is not set"] == hashes[2] != hashes[1]
    assert type(os.environ) is usual


def test_a_file_that_turns_double_precision_on_is_rejected(file):
    import jax

    file.write_text('import jax\njax.config.update("jax_enable_x64", True)\n')
    try:
        with pytest.raises(UserError, match="sets jax_enable_x64; cells are trained in float32"):
            load_file(str(file))
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize(
    ("code", "replaced"),
    [
        ("import attn_nlp.data.batches as b\nb.WINDOW += 0", "attn_nlp.data.batches.WINDOW"),
        ("from attn_nlp.data import batches\nbatches.WINDOW = 1", "attn_nlp.data.batches.WINDOW"),
        ("import numpy\nsetattr(numpy.random, 'ours', 1)", "numpy.random.ours"),
        ("import optax\ndef later():\n    optax.adamw = None", "optax.adamw"),
        ("import types\nnumpy = types.SimpleNamespace()\nnumpy.gain = 1", None),
    ],
)
def test_a_library_on_which_all_results_depend_cannot_be_replaced(
    file, code, replaced, monkeypatch
):
    """Cells of built-in parts have no hash of the file."""
    import numpy

    from attn_nlp.data import batches

    monkeypatch.setattr(batches, "WINDOW", batches.WINDOW)  # put back after the test
    file.write_text(f"{code}\n{FILE}")
    try:
        if replaced is None:
            load_file(str(file))
        else:
            with pytest.raises(UserError, match=rf"line \d: {replaced} is replaced"):
                load_file(str(file))
    finally:
        numpy.random.__dict__.pop("ours", None)


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ("sum_to_one=True", r"Did you mean 'sums_to_one'\?"),
        ("sums_to_one='yes'", "sums_to_one of score 'mine' is 'yes'; it is True or False"),
        ("features=None", "features of score 'mine' is None; give a number or an expression"),
    ],
)
def test_a_fact_that_is_not_one_is_rejected_with_its_line(file, fact, message):
    file.write_text(
        "from attn_nlp import score\n\n\n"
        f'@score("mine", {fact})\ndef mine(q, k):\n    """Compare."""\n    return q\n'
    )
    with pytest.raises(UserError, match=rf"heads\.py, line 4: .*{message}"):
        load_file(file)
