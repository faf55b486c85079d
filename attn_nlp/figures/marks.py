"""What says in a file that this package drew it, so that a later figure may replace it."""

from __future__ import annotations

import re

from attn_nlp.outputs import is_signed, signed

_NAME = "attn-nlp"
_COMMENT = f"<!-- Generator: {_NAME} -->\n".encode()
_LAST = "<!-- {} -->"
PNG = {"Software": _NAME}  # metadata, as matplotlib takes it
# As written here; an editor of pictures that keeps the comment writes a first line of its own.
_SVG = re.compile(
    rb'<\?xml version="1\.0" encoding="utf-8"( standalone="no")?\?>\n' + re.escape(_COMMENT)
)


def marked(svg: bytes) -> bytes:
    """A whole SVG file with the mark below its first line, and signed in its last."""
    first, rest = svg.split(b"\n", 1)
    return signed((first + b"\n" + _COMMENT + rest).decode(), _LAST).encode()


def known(format: str, content: bytes) -> bool:
    """Whether this package has drawn a file, and nothing follows in it.

    Args:
      format: "svg" or "png".
      content: of the file, all of it.
    """
    if format == "svg":
        return _SVG.match(content) is not None and is_signed(
            content.decode("utf-8", "replace"), _LAST
        )
    text = b"tEXt" + b"\0".join(part.encode() for part in ("Software", _NAME))
    ours = content.startswith(b"\x89PNG") and text in content[:1000]
    return ours and content.endswith(b"IEND\xaeB`\x82")
