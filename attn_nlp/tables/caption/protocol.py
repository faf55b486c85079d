"""The protocol of a table: the same settings for all rows, or the same budget of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from attn_nlp.experiment.planned import ChosenCell, ProtocolSpec, TableSpec
from attn_nlp.experiment.tuning import RULE, Span
from attn_nlp.tables.layout import Layout
from attn_nlp.tables.notes import Note, detail, short, warning
from attn_nlp.wording import plural

_SETTINGS = {
    "learning_rate": lambda value: f"learning rate {value:g}",
    "steps": lambda value: plural(value, "step"),
    "batch_size": lambda value: f"batches of {plural(value, 'sentence')}",
    "layers": lambda value: plural(value, "layer"),
    "width": lambda value: f"width {value}",
}
_MOST = 12  # entries whose chosen values fit into the caption; more get a table of their own


def protocol(table: TableSpec, layout: Layout) -> list[Note]:
    """Return the notes of a caption that say what was the same for all rows."""
    tuning = table.get("tuning")
    fixed = [f"{path} = {value}" for path, value in table["where"].items() if path not in _SETTINGS]
    all_have = [f"All cells have {', '.join(fixed)}."] if fixed else []
    text, brief = _same_settings(layout) if tuning is None else _tuned(tuning, layout)
    first = short(" ".join([text, *all_have]), " ".join([brief, *all_have]))
    return [first, *(_chosen(table, tuning, layout) if tuning is not None else [])]


def _same_settings(layout: Layout) -> tuple[str, str]:
    """Return the note on untuned rows, in full and in brief."""
    same, differ = _shared(layout, ())
    text = f"Same settings for all rows ({', '.join(same)}); no row was tuned on its own"
    if differ:
        text += f"; varied in the table: {', '.join(differ)}"
    brief = "Same settings for all rows, none tuned"
    if "learning_rate" not in differ:
        text += "; the order of rows may depend on the learning rate"
        brief += ": their order may depend on the learning rate"
    return f"{text}.", f"{brief}."


def _tuned(tuning: ProtocolSpec, layout: Layout) -> tuple[str, str]:
    """Return the note on how every row was tuned, in full and in brief."""
    space = ", ".join(f"{path} {Span(**span).text}" for path, span in tuning["space"].items())
    seeds = ", ".join(map(str, tuning["seeds"]))
    same, differ = _shared(layout, tuning["space"])
    text = (
        f"Tuned: every row and column had the same {plural(tuning['budget'], 'trial')}, drawn at "
        f"random ({space}), each on {plural(len(tuning['seeds']), 'seed')} of its own ({seeds}). "
        f"Chosen by {RULE}; a trial that diverged or failed on any seed lost. What was chosen was "
        "then trained on the fresh seeds of this table; no trial read the test split."
    )
    if same:
        text += f" Not tuned, and the same for all rows: {', '.join(same)}."
    if differ:
        text += f" Varied in the table: {', '.join(differ)}."
    brief = (
        f"Tuned: the same {plural(tuning['budget'], 'trial')} for every row and column, none of "
        "which read the test split."
    )
    return text, brief


def _shared(layout: Layout, apart: Mapping | Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the settings that all cells share, in words, and the paths of those that vary."""
    all_settings = layout.settings()
    same, differ = [], []
    for path, words in _SETTINGS.items():
        values = list(
            dict.fromkeys(settings[path] for settings in all_settings if path in settings)
        )
        if path in apart or not values:
            continue
        if len(values) == 1:
            same.append(words(values[0]))
        else:
            differ.append(path)
    return same, differ


def _chosen(table: TableSpec, tuning: ProtocolSpec, layout: Layout) -> list[Note]:
    """Return what the trials chose, by row and column, or where to read that."""
    by_choice: dict[str, list[str]] = {}
    waiting = 0
    for (number, column), planned in layout.entries.items():
        waiting += any(cell["spec"] is None for cell in planned.cells.values())
        name = repr(table["rows"][number]["label"])
        name += f" ({', '.join(map(str, column))})" if column else ""
        chosen = cast(
            "list[ChosenCell]", [cell for cell in planned.cells.values() if "trial" in cell]
        )
        for choice in dict.fromkeys(_choice(cell, tuning) for cell in chosen):
            by_choice.setdefault(choice, []).append(name)
    notes = []
    if by_choice and sum(map(len, by_choice.values())) <= _MOST:
        texts = [f"{choice} by {', '.join(names)}" for choice, names in by_choice.items()]
        notes.append(detail(f"Chosen: {'; '.join(texts)}."))
    elif by_choice:
        text = "The chosen values have a table of their own: attn-nlp table --tuning."
        notes.append(detail(text))
    if waiting:
        text = f"Trials have yet to finish for {waiting} {'entry' if waiting == 1 else 'entries'}."
        notes.append(warning(text))
    return notes


def _choice(cell: ChosenCell, tuning: ProtocolSpec) -> str:
    values = ", ".join(f"{path} {cell['settings'][path]:g}" for path in tuning["space"])
    lost = f"; {cell['lost']} of {tuning['budget']} trials lost" if cell["lost"] else ""
    return f"trial {cell['trial']} ({values}{lost})"
