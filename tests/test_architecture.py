"""Data flows one way: a module imports from stages before its own; nothing heavy by accident."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import attn_nlp
from attn_nlp.parts import registry
from attn_nlp.parts.hooks import HOOKS

ROOT = Path(attn_nlp.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LONGEST = 400

# A module imports from packages of a lower number, and from its own.
STAGES = {
    "files": 0.5,
    "errors": 0,
    "fault_injection": 0,
    "library_code": 0,  # reads the source of the others, imports nothing
    "metrics": 1,
    "rng": 0,
    "stats": 0,  # numbers in, numbers out: imports nothing of ours
    "wording": 0,
    "result": 0.5,
    "variables": 0.5,  # our own of the environment
    "user_code": 1,
    "parts": 2,
    "experiment": 3,
    "data": 4,
    "nn": 5,
    "train": 6,
    "probe": 6.5,  # tries an optimizer as training runs it
    "baselines": 7,
    "store": 8,
    "runner": 9,
    "tables": 10,
    "catalogue": 11,
    "figures": 12,
    "report": 13,
    "api": 13.5,
    "cli": 14,
    "__main__": 15,
}

# Which packages may import a library at all, also inside functions.
LIBRARIES = {
    "jax": {"rng", "nn", "probe", "train", "runner"},
    "flax": {"nn", "probe", "train"},
    "optax": {"train"},
    "filelock": {"train"},
    "orbax": {"train"},
    "numpy": {
        "rng",
        "stats",
        "data",
        "probe",
        "train",
        "metrics",
        "baselines",
        "figures",
        "report",
    },
    "scipy": {"stats"},
    "sklearn": {"data", "baselines"},
    "threadpoolctl": {"baselines"},
    "datasets": {"data"},
    "pyarrow": {"data"},
    "huggingface_hub": {"data"},
    "tokenizers": {"data"},
    "matplotlib": {"figures"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "click": {"cli"},
    "rich": {"cli", "tables", "runner"},
    "pandas": {"api"},
    "IPython": {"api"},
}
STANDARD = sys.stdlib_module_names
# What printing tables and plans may not load.
HEAVY = (
    "jax",
    "flax",
    "optax",
    "datasets",
    "tokenizers",
    "matplotlib",
    "sklearn",
    "scipy.stats",
    "jinja2",
)


def package(file: Path) -> str:
    """The package of ours that a file belongs to: "data" of data/rows.py."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def imported(file: Path) -> set[str]:
    """Modules that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(file)} imports relatively; write the whole name"
            assert node.module is not None
            if node.module == "attn_nlp":
                found |= {f"attn_nlp.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_module_imports_only_from_stages_before_its_own(file):
    own = package(file)
    if own == "__init__":
        return
    assert own in STAGES, f"attn_nlp/{own} is new; say in this test which stage it belongs to"
    for module in imported(file):
        library, _, rest = module.partition(".")
        if library == "attn_nlp":
            other = rest.split(".")[0]
            if other in (own, ""):  # the last is the package itself
                continue
            assert own != "stats", f"{name(file)} imports {module}; statistics know nothing of ours"
            assert STAGES[other] < STAGES[own], f"{name(file)} imports {module}, a later stage"
        elif library not in STANDARD:
            assert library in LIBRARIES, f"{name(file)} imports {library}, which nobody else does"
            assert own in LIBRARIES[library], f"{name(file)} may not import {library}"


def test_the_stages_name_real_libraries_only():
    used = {module.split(".")[0] for file in FILES for module in imported(file)}
    assert set(LIBRARIES) <= used


@pytest.mark.parametrize("file", FILES, ids=name)
def test_no_file_is_too_long(file):
    lines = len(file.read_text("utf-8").splitlines())
    assert lines <= LONGEST, f"{name(file)} has {lines} lines; look for the seam"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_everything_public_has_a_docstring(file):
    tree = ast.parse(file.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{name(file)} does not say what comes in and goes out"
    for node in public(tree):
        assert ast.get_docstring(node), (
            f"{name(file)}, line {node.lineno}: {node.name} says nothing"
        )


def public(tree: ast.Module):
    """Public functions and classes of a module, and the public methods of the latter."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                hook = node.decorator_list and getattr(inner, "name", "") in HOOKS
                if isinstance(inner, ast.FunctionDef) and inner.name[0] != "_" and not hook:
                    if ast.unparse(inner.body[0]) == "...":  # a protocol names what others do
                        continue
                    yield inner


def test_nothing_asks_for_a_part_by_name():
    """Parts differ by facts of their registry lines; no code compares their names."""
    known = {name for part in registry.parts() for name in (part.name, *part.aliases)}
    asked = [
        f"{name(file)}, line {node.lineno}: {ast.unparse(node)}"
        for file in FILES
        for node, values in compared(ast.parse(file.read_text("utf-8")))
        if known & values
    ]
    assert not asked, "give the part a fact and ask for that: " + "; ".join(asked)


def compared(tree: ast.AST):
    """Whatever chooses by a text, with the texts: comparisons, patterns, tables on the spot."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                inside = [
                    each for side in (left, *others) for each in getattr(side, "elts", [side])
                ]
            case ast.MatchValue(value=value):
                inside = [value]
            case ast.Subscript(value=ast.Dict(keys=keys), slice=ast.Name() | ast.Attribute()):
                inside = keys
            case ast.Call(func=ast.Attribute(attr="get", value=ast.Dict(keys=keys))):
                inside = keys
            case ast.Call(func=ast.Attribute(attr="startswith" | "endswith"), args=args):
                inside = args
            case _:
                continue
        yield node, {each.value for each in inside if isinstance(each, ast.Constant)}


@pytest.mark.parametrize(
    "code",
    [
        "if name == 'softmax': pass",
        "f(1 if name in ('sigmoid', 'softmax') else 2)",
        "while 'softmax' != name: pass",
        "match name:\n    case 'softmax' | 'sigmoid': pass",
        "{'softmax': 1}[name]",
        "{'softmax': 1}.get(name)",
        "name.startswith('softmax')",
    ],
)
def test_asking_by_name_is_found(code):
    assert any("softmax" in values for _, values in compared(ast.parse(code)))


def test_facts_and_hooks_may_be_asked_for():
    code = "part.facts.get('softmax'); 'softmax' and f('softmax'); {'softmax': a['softmax'] == 1}"
    assert not any("softmax" in values for _, values in compared(ast.parse(code)))


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running the code."""
    script = f"import sys\n{code}\nprint('loaded:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.partition("loaded:")[2].split())


RESOLVE = """
from attn_nlp.experiment import Cell, Experiment, Table, vary
experiment = Experiment(Cell(), [vary("attention.score", "dot", "additive")],
                        [Table("T", "attention.score")])
experiment.resolve("name", "Why?")
"""


@pytest.mark.parametrize(
    "code",
    [
        "import attn_nlp.parts.registry; attn_nlp.parts.registry.parts()",
        RESOLVE,
        "import attn_nlp.store, attn_nlp.runner.plan, attn_nlp.tables, attn_nlp.stats",
        "import attn_nlp.runner.run",
        "import attn_nlp.cli.main",
        "import attn_nlp.figures, attn_nlp.catalogue.markdown as page; page.markdown()",
        "import attn_nlp.report",
    ],
    ids=["listing parts", "resolving", "tables", "running", "command line", "catalogue", "report"],
)
def test_starting_is_light(code):
    loaded = modules_after(code)
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("name", ["[]", "['sofmax']"])
def test_parts_are_listed_without_numpy(name):
    """Half of the time that a list of names, or the news of a misspelt one, used to take."""
    loaded = modules_after(f"from attn_nlp.cli import main; main(['parts', *{name}])")
    assert not loaded & {"numpy", "attn_nlp.tables", "attn_nlp.experiment"}


def test_a_report_is_written_without_jax(tmp_path):
    arguments = ["report", "--name", "example", "--store", str(tmp_path / "store.sqlite")]
    arguments += ["--out", str(tmp_path / "report.html")]
    loaded = modules_after(
        "from attn_nlp.store import Store\n"
        "from tests.tables.example import example\n"
        f"with Store.open({arguments[4]!r}) as store:\n"
        "    store.save_experiment(example()[1])\n"
        "from attn_nlp.cli import main\n"
        f"assert main({arguments!r}) == 0"
    )
    assert (tmp_path / "report.html").stat().st_size > 20_000
    assert not loaded & {"jax", "flax", "optax", "datasets"}


def test_the_code_has_no_path_of_a_machine_and_no_address():
    for file in FILES:
        text = file.read_text("utf-8")
        assert not re.search(r"""["'](/home/|/work/|/root/|/tmp/|C:\\)""", text), name(file)
