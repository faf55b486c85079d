"""The code and commands in README, CONTRIBUTING, and docs/ run, and their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import click
import pytest

from attn_nlp.cli.main import commands
from attn_nlp.experiment.cell import PATHS
from attn_nlp.parts import registry
from benchmarks import readme
from tests.runner.fakes import Here, write_experiment

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "llms.txt"),
    *(each for each in sorted((ROOT / "docs").glob("*.md")) if each.name != "catalogue.md"),
]
TEXTS = {page.name: page.read_text("utf-8") for page in PAGES}
README = TEXTS["README.md"]
MADE_UP = {"attn_nlp/tables/formats/tsv.py"}
# Commands that would train, read data that is not here, or draw parts, are only parsed.
NOT_RUN = re.compile(r"--dataset trec6|attn-nlp run .*--budget|figure (mechanism|plate)")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


PYTHON = [
    pytest.param(block, id=f"{page}-{number}")
    for page, text in TEXTS.items()
    for number, block in enumerate(blocks(text, "python"))
]
SHELL = [
    line.partition(" #")[0].strip()
    for text in TEXTS.values()
    for block in blocks(text, "sh")
    for line in block.splitlines()
    if line.startswith("attn-nlp ")
]
INLINE = [each for text in TEXTS.values() for each in re.findall(r"`(attn-nlp [a-z][^`]+)`", text)]


@pytest.fixture
def attn_nlp(tmp_path, catalogue, monkeypatch, capsys):
    """The command line in a folder of its own."""
    return Here(tmp_path, tmp_path / "cache", monkeypatch, capsys)


@pytest.mark.parametrize("block", PYTHON)
def test_python_runs(block, attn_nlp):
    """A block that defines an experiment or a part is planned, any other runs as it is."""
    part = re.search(r'^@(\w+)\(\s*"(\w+)"', block, re.MULTILINE)
    if part:
        slot, name = part.groups()
        block += EXPERIMENT.format(*VARIED[slot], name)
    if part or ("Experiment(" in block and "run(experiment" not in block):
        Path("my_idea.py").write_text(block, "utf-8")
        planned = attn_nlp("plan", "my_idea.py")
        assert (planned.returncode, planned.stderr) == (0, "")
        assert re.match(r"my_idea: \d+ to do, 2 of them baselines", planned.stdout)
        return
    exec(compile(block.replace("steps=100", "steps=2"), "block", "exec"), {"__name__": "block"})


EXPERIMENT = """
from attn_nlp.experiment import Cell, Experiment, Table, vary

experiment = Experiment(
    base=Cell(dataset="planted_keyword"),
    axes=[vary("{0}", "{1}", "{2}"), vary("seed", 0, 1)],
    tables=[Table("Both", "{0}", reference="{1}")],
)
"""
VARIED = {"score": ("attention.score", "dot"), "optimizer": ("optimizer", "adamw")}


@pytest.mark.parametrize("line", dict.fromkeys([*SHELL, *INLINE]))
def test_a_command_is_parsed(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTN_NLP_STORE", raising=False)
    arguments = shlex.split(line)[1:]
    command: click.Command = commands
    while isinstance(command, click.Group):
        command = command.commands[arguments.pop(0)]
    command.make_context(line, arguments)


def test_commands_run_on_a_store(attn_nlp):
    """The commands in order, with a model that pretends to train in place of the experiments."""
    write_experiment(Path())
    Path("fake.py").rename("my_idea.py")
    trained = attn_nlp("run", "my_idea.py", "--in-process")
    assert trained.returncode == 0, trained.stderr
    for name in ("mine", "yours", "laptop", "cluster"):
        shutil.copy("runs/attn_nlp.sqlite", f"{name}.sqlite")
    run = [line for line in SHELL if not NOT_RUN.search(line)]
    assert len(run) > 20
    for line in run:
        done = attn_nlp(*shlex.split(line)[1:])
        assert done.returncode == 0, (line, done.stderr)
        assert done.stdout or done.stderr or "--out" in line or "figure" in line, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page):
    text = TEXTS[page.name]
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = link.partition("#")
        assert (page.parent / name).exists(), link
        assert not heading or f"\n## {heading.capitalize()}\n" in TEXTS[Path(name).name], link
    for path in re.findall(r"`((?:tests|attn_nlp|experiments|docs|benchmarks)/[\w./]+)`", text):
        assert path in MADE_UP or (ROOT / path).exists(), path
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*re.findall(r"`make (\w+)", text)} <= {*targets}


def test_the_picture_shows_the_numbers_of_the_first_table():
    shown = "".join(ElementTree.parse(ROOT / "docs" / "table.svg").getroot().itertext())
    entries = re.findall(r"[−+]?\d+\.\d ±\d\.\d(?: [▲▼])?", blocks(README, "text")[0])
    assert len(entries) == 15
    assert [each for each in entries if each not in shown] == []


def test_the_stated_number_of_parts_is_that_of_the_catalogue():
    assert f"[{len(registry.parts())} parts](docs/catalogue.md)" in README


def test_the_stated_speed_is_the_measured_speed():
    told = README.partition("## Speed")[2].partition("\n## ")[0]
    seconds = re.findall(r"([\d,]+) seconds", told)
    ratios = re.findall(r"(\d\.\d)\b", told)
    table = readme.block(readme.MEASURED).partition("**Training")[0]
    assert len(seconds) == len(ratios) == 2
    assert re.search(rf"ours, cold cache \| {seconds[0]} .*\| {seconds[1]} \|", table)
    rival = next(line for line in table.splitlines() if "2 processes" in line)
    assert re.search(rf"/ {ratios[0]} \|.*/ {ratios[1]} \|", rival)


def test_every_setting_is_listed_with_its_default():
    listed = (ROOT / "docs/concepts.md").read_text("utf-8")
    for path, info in PATHS.items():
        what, shown = info["help"], f"`{info['default']}`"
        if info["default"] is None:
            what, _, shown = what.rpartition("; ")
        assert f"| `{path}` | {shown} | {what} |" in listed
