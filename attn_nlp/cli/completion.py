"""Shell completion: the script for a shell, and the names that complete an argument.

Click completes commands, options and files. The names of parts, datasets and formats come from
registries that import neither JAX nor a dataset, since a shell asks at every press of Tab.
"""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from attn_nlp import wording

PROGRAM, VARIABLE = "attn-nlp", "_ATTN_NLP_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context, shell) -> None:
    """Print the shell completion script.

    \b
    Examples:
      eval "$(attn-nlp completion bash)"        in ~/.bashrc
      eval "$(attn-nlp completion zsh)"         in ~/.zshrc
      attn-nlp completion fish > ~/.config/fish/completions/attn-nlp.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None, "click completes in these shells"
    wording.show(made(context.find_root().command, {}, PROGRAM, VARIABLE).source())


def slots_and_parts(context, parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the slots, each with its meaning, and the names of all parts."""
    from attn_nlp.parts import registry

    slots = {
        slot: f"{wording.with_article(slot)} {known.what}" for slot, known in registry.SLOTS.items()
    }
    parts = {part.name: part.label for part in registry.parts()}
    return _beginning(incomplete, (parts | slots).items())


def datasets(context, parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the registered datasets; paths of files are not completed."""
    from attn_nlp.data.registry import sources

    return _beginning(incomplete, ((source.name, source.label) for source in sources()))


def formats(context, parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the formats of a table."""
    from attn_nlp.tables.formats import FORMATS

    return _beginning(incomplete, ((name, "") for name in FORMATS))


def _beginning(incomplete: str, known: Iterable[tuple[str, str]]) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=wording.clean(says) or None)
        for name, says in known
        if name.startswith(incomplete)
    ]
