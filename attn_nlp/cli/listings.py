"""parts, datasets: lists of what an experiment may name, and a page on each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from attn_nlp import wording
from attn_nlp.cli import completion, options, show

_MOST_CLASSES = 8  # that have a column each


@click.command()
@click.argument(
    "name", metavar="[SLOT|NAME]", required=False, shell_complete=completion.slots_and_parts
)
@options.own_parts
@click.option("--markdown", is_flag=True, help="Print all parts on one page: docs/catalogue.md.")
@options.as_json
def parts(name, markdown, as_json) -> None:
    """List the parts of attention and of the encoder, or describe one in full.

    \b
    Examples:
      attn-nlp parts
      attn-nlp parts normalizer
      attn-nlp parts query_mix
      attn-nlp parts normalizer:softmax
      attn-nlp parts --json
      attn-nlp parts score --import my_idea.py
    """
    from attn_nlp.parts import registry

    if markdown and (name or as_json):
        raise click.UsageError("--markdown is one page of all parts; give it alone.")
    if markdown:
        from attn_nlp.catalogue.markdown import markdown as all_parts

        wording.show(all_parts())
    elif name in (None, *registry.SLOTS):
        _list(registry.parts(name), as_json)
    else:
        _tell(name, as_json)


def _list(found, as_json: bool) -> None:
    entries = [part.entry() for part in found]
    if as_json:
        wording.show(show.as_text(entries))
        return
    names = ["slot", "name", "label", "citation"]
    wording.show(show.columns([names, *([entry[name] for name in names] for entry in entries)]))


def _tell(name: str, as_json: bool) -> None:
    """Print the page of a part, or of several parts if the name is in several slots."""
    from attn_nlp.catalogue.lookup import some

    found = some(name)
    if as_json:
        _list(found, as_json)
    else:
        from attn_nlp.catalogue.page import page

        wording.show("\n\n".join(map(page, found)))


@click.command()
@click.argument("name", required=False, shell_complete=completion.datasets)
@options.as_json
def datasets(name, as_json) -> None:
    """List the datasets, or load one and print its sizes, classes, and known problems.

    \b
    Examples:
      attn-nlp datasets
      attn-nlp datasets planted_lookup
      attn-nlp datasets sst2 --json
    """
    from attn_nlp.data import DataSettings, prepare_dataset, sources

    if name is not None:
        from attn_nlp.data import check_dataset
        from attn_nlp.runner.environment import cache_folder

        check_dataset(name)
        prepared = prepare_dataset(DataSettings(name), cache_folder() / "data")
        found = {
            "name": prepared.name,
            "fingerprint": prepared.fingerprint,
            "classes": list(prepared.class_names),
            **prepared.facts,
        }
        if as_json:
            wording.show(show.as_text(found))
        else:
            wording.show(_summary(found))
        return
    entries = [source.facts() for source in sources()]
    if as_json:
        wording.show(show.as_text(entries))
        return
    names = ["name", "label", "language", "license"]
    rows = [
        [
            *(entry[name] for name in names),
            "built in" if entry["embedded"] else entry["hub_id"] or "local",
        ]
        for entry in entries
    ]
    wording.show(show.columns([[*names, "from"], *rows]))


def _summary(facts: Mapping[str, Any]) -> str:
    """Return the facts about a dataset that people look for first."""
    classes, splits = facts["classes"], facts["splits"]
    by_class = classes if len(classes) <= _MOST_CLASSES else []
    rows = [["split", "rows", "mean tokens", "95%", "cut", *by_class]]
    for split, of_split in splits.items():
        counts = of_split["class_counts"] if by_class else []
        lengths = (f"{of_split['mean_length']:.1f}", f"{of_split['p95_length']:.0f}")
        rows.append([split, of_split["rows"], *lengths, of_split["truncated"], *counts])
    told = {
        "license": facts["license"],
        "cite": facts["cite"],
        "note": facts["note"],
        "validation": facts["validation_rule"],
        "test": facts["test_rule"],
        "columns not read": ", ".join(facts.get("ignored_columns", ())),
        "repeated texts": ", ".join(f"{n} {at}" for at, n in facts["duplicates"].items() if n),
        "texts with several labels": facts["conflicting_labels"],
    }
    return "\n".join(
        [
            wording.clean(f"{facts['name']}: {len(classes)} classes, {facts['source']}"),
            show.columns(rows),
            *(wording.clean(f"{what}: {text}") for what, text in told.items() if text),
            "--json prints all facts.",
        ]
    )
