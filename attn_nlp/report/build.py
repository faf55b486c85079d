"""A report as plain data, made from a resolved experiment and its stored records.

Nothing is trained and nothing is looked up elsewhere. The same store gives an identical report, so
no clock is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from attn_nlp.experiment import Resolved
from attn_nlp.experiment.planned import RowSpec
from attn_nlp.figures import results
from attn_nlp.report.answer import Answer, answers
from attn_nlp.report.caveats import Dataset, datasets
from attn_nlp.report.plots import Plots, plots
from attn_nlp.report.schematics import Makeup, Mechanism, makeup, mechanisms
from attn_nlp.report.statement import Statement, statement
from attn_nlp.report.svg import Pictures
from attn_nlp.report.wrong import Run, Wrong, wrong
from attn_nlp.result.record import Record
from attn_nlp.store import SMALL
from attn_nlp.tables import Grid, build, cost
from attn_nlp.tables.caption import over_sentences
from attn_nlp.tables.caption.environments import Environments, environments
from attn_nlp.tables.facts import Facts, facts_of, together
from attn_nlp.tables.layout import lay_out, once_each
from attn_nlp.tables.views.tuning import tuning

# The columns that a report reads from the store.
COLUMNS = tuple(
    dict.fromkeys([*SMALL, *results.COLUMNS, *over_sentences.COLUMNS, "confusion", "predictions"])
)


@dataclass(frozen=True)
class Settings:
    """The settings of the cells.

    Attributes:
      varied: (path, its values in the order of the cells).
      shared: (path, the one value of all cells).
    """

    varied: tuple[tuple[str, tuple[str, ...]], ...]
    shared: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Report:
    """A report as plain data; `page` writes it.

    Attributes:
      name: of the experiment.
      statement: its docstring in parts.
      counts: cells by status, baselines included, "not run yet" last; only those that occur.
      answers: the answers of the tables, in sentences.
      tables: the tables of results.
      tunings: the values chosen by the trials of a tuned experiment; else empty.
      costs: the costs of the same rows and columns.
      plots: figures of the results.
      makeup, mechanisms: the settings and the parts of the rows.
      pictures: outlines of characters that all pictures share.
      wrong: the hardest sentences by dataset.
      datasets: sizes and caveats.
      environments: where the cells ran.
      settings: the settings that varied, and those that did not.
      bad: (status, cell, reason) of cells that failed or diverged.
      skipped: (reason, cells) of combinations that were left out.
      commands: the commands that give the same results.
      changed: the options that changed the experiment's file, or "".
      remark: a sentence next to the commands, or "".
    """

    name: str
    statement: Statement
    counts: Mapping[str, int]
    answers: tuple[Answer, ...]
    tables: tuple[Grid, ...]
    tunings: tuple[Grid, ...]
    costs: tuple[Grid, ...]
    plots: Plots
    makeup: Makeup
    mechanisms: tuple[Mechanism, ...]
    pictures: Pictures
    wrong: tuple[Wrong, ...]
    datasets: tuple[Dataset, ...]
    environments: Environments
    settings: Settings
    bad: tuple[tuple[str, str, str], ...]
    skipped: tuple[tuple[str, int], ...]
    commands: tuple[str, ...]
    changed: str
    remark: str


def report(
    resolved: Resolved,
    records: Mapping[str, Record],
    *,
    prepared: Path,
    commands: Sequence[str] = (),
    changed: str = "",
    remark: str = "",
    notes: Sequence[str] = (),
) -> Report:
    """Return everything that a report shows.

    Args:
      resolved: the experiment.
      records: stored records by spec, with `COLUMNS`.
      prepared: the folder of prepared data on this machine, which need not exist.
      commands: the commands that give the same results.
      changed: the options that changed the experiment's file.
      remark: a sentence next to the commands.
      notes: sentences for the caption of every table.
    """
    cells = resolved.wanted
    here = {spec: records[spec] for spec in cells if spec in records}
    rows = _rows(resolved)
    facts, fingerprints = _data(resolved, here)
    pictures = Pictures()
    tables = tuple(build(table, resolved, here).with_warnings(notes) for table in resolved.tables)
    return Report(
        name=resolved.name,
        statement=statement(resolved.question),
        counts=_counts(len(cells) + len(resolved.open), here),
        answers=answers(tables),
        tables=tables,
        tunings=tuple(
            tuning(table, resolved, here)
            for table in (once_each(resolved.tables) if resolved.tuning else ())
        ),
        costs=tuple(cost(table, resolved, here) for table in once_each(resolved.tables)),
        plots=plots(resolved, here, pictures),
        makeup=makeup(rows),
        mechanisms=tuple(mechanisms(rows, pictures)),
        pictures=pictures,
        wrong=tuple(wrong(_runs(resolved, here), rows, prepared)),
        datasets=tuple(datasets(facts, fingerprints)),
        # A baseline is fitted without JAX, wherever the other cells ran.
        environments=environments(
            here[cell["spec"]]
            for cell in resolved.cells
            if here.get(cell["spec"], {}).get("status") == "done"
        ),
        settings=_settings(resolved),
        bad=_bad(resolved, cells, here),
        skipped=tuple(Counter(str(cell["reason"]) for cell in resolved.skipped).items()),
        commands=tuple(commands),
        changed=changed,
        remark=remark,
    )


def _rows(resolved: Resolved) -> list[RowSpec]:
    """Return the rows of all tables, each once."""
    found: dict[tuple, RowSpec] = {}
    for table in resolved.tables:
        for row in table["rows"]:
            found.setdefault((row["label"], *map(str, row["where"].items())), row)
    return list(found.values())


def _data(resolved: Resolved, records: Mapping[str, Record]) -> tuple[Facts, dict[str, list[str]]]:
    """Return the facts about the datasets, and every fingerprint that their rows had."""
    facts = together(facts_of(lay_out(table, resolved), records) for table in resolved.tables)
    found: dict[str, dict[str, None]] = {}
    for cell in resolved.cells:
        known = str(records.get(cell["spec"], {}).get("fingerprint") or "")
        found.setdefault(str(cell["settings"]["dataset"]), {}).update(
            {known: None} if known else {}
        )
    return facts, {name: list(known) for name, known in found.items()}


def _counts(planned: int, records: Mapping[str, Record]) -> dict[str, int]:
    counts = Counter(str(record["status"]) for record in records.values())
    left = planned - len(records)
    known = {name: counts.pop(name, 0) for name in ("done", "diverged", "failed")}
    found = {**known, **counts, "not run yet": left}
    return {name: count for name, count in found.items() if count}


def _runs(resolved: Resolved, records: Mapping[str, Record]) -> list[Run]:
    """Return the finished cells with their predictions, without baselines."""
    return [
        Run(
            cell["settings"],
            str(record.get("fingerprint") or ""),
            record.get("data") or {},
            predictions,
            record.get("gold") or (),
            record.get("confidences") or (),
        )
        for cell in resolved.cells
        if (record := records.get(cell["spec"]))
        and record["status"] == "done"
        and (predictions := record.get("predictions"))
    ]


def _settings(resolved: Resolved) -> Settings:
    values: dict[str, dict[str, None]] = {}
    for cell in resolved.cells:
        for path, value in cell["settings"].items():
            values.setdefault(path, {}).setdefault("–" if value is None else str(value))
    return Settings(
        varied=tuple((path, tuple(texts)) for path, texts in values.items() if len(texts) > 1),
        shared=tuple(
            (path, next(iter(texts))) for path, texts in values.items() if len(texts) == 1
        ),
    )


def _bad(
    resolved: Resolved, cells: Mapping[str, dict], records: Mapping[str, Record]
) -> tuple[tuple[str, str, str], ...]:
    label = resolved.label
    return tuple(
        (record["status"], label(cells[spec]), str(record.get("reason") or ""))
        for spec, record in records.items()
        if record["status"] in ("failed", "diverged")
    )
