"""From stored records to charts: learning curves, and sweeps over a numeric setting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from attn_nlp.errors import UserError, nearest
from attn_nlp.experiment import Resolved
from attn_nlp.experiment.planned import RowSpec, TableSpec
from attn_nlp.figures.results.chart import Chart, Line, Panel, Point
from attn_nlp.figures.results.missing import Missing
from attn_nlp.result.record import Record
from attn_nlp.stats import Summary, summarize
from attn_nlp.tables.facts import Facts, facts_of
from attn_nlp.tables.grid import Column, Grid, GridRow, Quantity
from attn_nlp.tables.layout import PlannedEntry, lay_out
from attn_nlp.tables.outcomes import outcomes
from attn_nlp.tables.quantities import quantity
from attn_nlp.tables.views.scores import baseline_rows, column_labels
from attn_nlp.wording import clean


def curves(table: TableSpec, resolved: Resolved, records: Mapping[str, Record]) -> Chart:
    """Return validation scores by step: the mean over replicates with its t interval.

    Only successful runs are averaged, as in the table, and only at steps that all of them have, so
    that a curve has the same runs everywhere.

    Args:
      table, resolved: as for `attn_nlp.tables.views.scores`.
      records: stored records with the column "history".

    Raises:
      Missing: no run of the table kept its history, or none at two steps or more.
    """
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    shown, key = _validation(table["value"])
    panels, counts = [], set()
    for column in layout.columns:
        lines = []
        for number, row in enumerate(table["rows"]):
            points = []
            for step, values in _by_step(layout.entry(number, column), records, key).items():
                counts.add(len(values))
                points.append(_point(step, summarize(values), shown))
            lines.append(Line(row["label"], tuple(points)))
        title = _title(table["columns"], column, facts, shown)
        panels.append(Panel(column, title, tuple(lines)))
    if not counts:
        raise Missing("no finished run of the table kept its validation scores by step")
    if all(len(line.points) < 2 for panel in panels for line in panel.lines):
        raise Missing("runs were evaluated at one step only, which is not a curve")
    return Chart(
        title=table["title"],
        subtitle=f"{shown.label} during training{_unit(shown)}",
        axis="step",
        labels=tuple(row["label"] for row in table["rows"]),
        panels=tuple(panels),
        reference=_reference(table),
        band=True,
        notes=(_interval(counts, "Band"), "Validation chose the step that was tested."),
    )


def axes_of(resolved: Resolved, table: TableSpec) -> tuple[str, ...]:
    """Return the numeric settings over which a table can be swept, in the order of the fields.

    Settings that are averaged over, such as the seed, and those that trials chose do not count.
    """
    chosen = (table.get("tuning") or {}).get("space", {})
    return tuple(
        path
        for path, values in _numbers([cell["settings"] for cell in resolved.cells]).items()
        if len(values) > 1 and path not in table["over"] and path not in chosen
    )


def check_axis(resolved: Resolved, path: str) -> None:
    """Reject a setting that no table of an experiment can be swept over.

    Raises:
      UserError: not such a setting; the message names those that are.
    """
    known = list(dict.fromkeys(p for table in resolved.tables for p in axes_of(resolved, table)))
    if path not in known:
        close = nearest(path, known)
        raise UserError(
            f"this experiment has no numeric axis {path!r} with two values or more; it has "
            f"{', '.join(known) or 'none'}." + (f" Did you mean {close!r}?" if close else "")
        )


def swept(table: TableSpec, path: str) -> TableSpec:
    """Return the table with a setting as its first column, wherever it was before.

    It may have been a column, or a condition of the rows or of the table. Rows that then select the
    same cells become one. Tables that differ only in the value of the setting, as made by `each=`,
    become equal.
    """
    alike: dict[str, list[RowSpec]] = {}
    for row in table["rows"]:
        where = {name: value for name, value in row["where"].items() if name != path}
        alike.setdefault(json.dumps(where, sort_keys=True), []).append({**row, "where": where})
    merged: list[RowSpec] = [
        {
            **rows[0],
            "label": rows[0]["label"] if len(rows) == 1 else _condition(rows[0]["where"]),
            "reference": any(row["reference"] for row in rows),
        }
        for rows in alike.values()
    ]
    title = table["title"]
    if path in table["where"]:
        title = title.removesuffix(f", {path} {table['where'][path]}")
    return {
        **table,
        "title": title,
        "rows": merged,
        "columns": [path, *(name for name in table["columns"] if name != path)],
        "where": {name: value for name, value in table["where"].items() if name != path},
    }


def sweep(table: TableSpec, path: str, resolved: Resolved, records: Mapping[str, Record]) -> Chart:
    """Return the table's value by a numeric setting: mean over replicates with t interval.

    Args:
      table, resolved, records: as for `attn_nlp.tables.views.scores`.
      path: the setting, such as "learning_rate" or "head_dim".

    Raises:
      Missing: no row has finished runs at two values of the setting in one column.
      UserError: cells of one row differ in settings that the table does not name.
    """
    table = swept(table, path)
    layout = lay_out(table, resolved)
    facts = facts_of(layout, records)
    shown = quantity(table["value"])
    baselines = baseline_rows(layout, resolved, records, shown)
    names = table["columns"][1:]
    panels, counts = [], set()
    for column in dict.fromkeys(column[1:] for column in layout.columns):
        lines = []
        for number, row in enumerate(table["rows"]):
            points = []
            for value in sorted(
                {c[0] for c in layout.columns if c[1:] == column and _number(c[0])}
            ):
                outcome = outcomes(layout.entry(number, (value, *column)), records, shown.name)
                if outcome.values:
                    points.append(_point(value, summarize(list(outcome.values.values())), shown))
                    counts.add(len(outcome.values))
            lines.append(Line(row["label"], tuple(points)))
        here = [index for index, values in enumerate(layout.columns) if values[1:] == column]
        title = _title(names, column, facts, shown)
        panels.append(Panel(column, title, tuple(lines), _baselines(baselines, here, shown)))
    if all(len(line.points) < 2 for panel in panels for line in panel.lines):
        raise Missing(f"no row has finished runs at two values of {path}")
    return Chart(
        title=table["title"],
        subtitle=f"{shown.label} by {path}{_unit(shown)}",
        axis=path,
        labels=tuple(row["label"] for row in table["rows"]),
        panels=tuple(panels),
        reference=_reference(table),
        notes=(_interval(counts, "Bar"),),
    )


def _validation(value: str) -> tuple[Quantity, str]:
    """Return the quantity by step closest to the table's value, and its name in a history."""
    metric = "loss" if value.endswith(".loss") else "accuracy"
    return quantity(f"validation.{metric}"), f"validation_{metric}"


def _by_step(
    planned: PlannedEntry, records: Mapping[str, Record], key: str
) -> dict[int, list[float]]:
    """Return the scores of all finished replicates at every step that all of them have."""
    histories = []
    for cell in planned.cells.values():
        record = records.get(cell["spec"])
        history = None if record is None else record.get("history")
        if record is not None and record["status"] == "done" and history:
            evaluations = [e for e in history if _number(e.get(key)) and _number(e.get("step"))]
            histories.append({e["step"]: e[key] for e in evaluations})
    if not histories:
        return {}
    steps = sorted(set.intersection(*map(set, histories)))
    return {step: [history[step] for history in histories] for step in steps}


def _numbers(settings: Iterable[Mapping]) -> dict[str, set]:
    by_path: dict[str, set] = {}
    for cell_settings in settings:
        for path, value in cell_settings.items():
            if _number(value):
                by_path.setdefault(path, set()).add(value)
    return by_path


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _point(x: float, summary: Summary, shown: Quantity) -> Point:
    low, high = (None if end is None else end * shown.scale for end in (summary.low, summary.high))
    return Point(x, summary.mean * shown.scale, low, high)


def _baselines(
    rows: Sequence[GridRow], columns: Sequence[int], shown: Quantity
) -> tuple[tuple[str, float], ...]:
    """Return the baselines of a panel that are one number whatever the setting is."""
    levels = []
    for row in rows:
        means = {entry.summary.mean if (entry := row.entries[p]).summary else None for p in columns}
        if len(means) == 1 and (mean := means.pop()) is not None:
            levels.append((row.label, mean * shown.scale))
    return tuple(levels)


def _title(paths: Sequence[str], column: tuple, facts: Facts, shown: Quantity) -> str:
    labels = column_labels(list(paths), column, facts)
    return Grid("", "", tuple(paths), (), ()).name_of(Column(column, labels, shown))


def _reference(table: TableSpec) -> str:
    return next((row["label"] for row in table["rows"] if row["reference"]), "")


def _condition(where: Mapping[str, object]) -> str:
    return clean(", ".join(f"{path} {value}" for path, value in where.items()))


def _unit(shown: Quantity) -> str:
    return f", {shown.unit}" if shown.unit else ""


def _interval(counts: set[int], what: str) -> str:
    most = max(counts)
    if most == 1:
        return "One run per point, so no interval can be given."
    runs = f"{most}" if counts == {most} else f"{min(counts)} to {most}"
    return f"{what}: 95% t interval of the mean over {runs} runs, for each point by itself."
