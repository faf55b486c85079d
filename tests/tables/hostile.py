"""The example with every text that a user can write replaced by something nasty."""

from __future__ import annotations

from attn_nlp.tables import Grid, build

from .example import example, facts

HOSTILE = (
    "a|b `code` **bold** <script>alert(1)</script> &amp; [link](http://x) [red]r[/] "
    "\x1b[31mESC\x07 \u202eturned\u202c \x9b2J \ufffetwo\uffff\nlines \\| $x$ ~~s~~ 你好"
)


def hostile(text: str = HOSTILE) -> Grid:
    """Title, note, a row's label and source, a dataset's label and note, and every reason."""
    plain, experiment, records = example()
    rows = [plain["rows"][0] | {"label": text, "cite": text}, *plain["rows"][1:]]
    records = {
        spec: each
        | {"reason": text}
        | {"data": facts("sst2") | {"label": text + spec.split("/")[0], "note": text}}
        for spec, each in records.items()
    }
    changed = plain | {"title": text, "note": "- " + text, "rows": rows}
    return build(changed, experiment, records)
