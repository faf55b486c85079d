"""The mark of files that this package drew, so that a later figure may replace them."""

from __future__ import annotations

import re

from attn_nlp.files.outputs import is_signed, signed

_NAME = "attn-nlp"
_COMMENT = f"<!-- Generator: {_NAME} -->\n".encode()
_LAST = "<!-- {} -->"
PNG = {"Software": _NAME}  # metadata, as matplotlib takes it
# As written here; an image editor that keeps the comment writes a different first line.
_SVG = re.compile(
    rb'<\?xml version="1\.0" encoding="utf-8"( standalone="no")?\?>\n' + re.escape(_COMMENT)
)


def marked(svg: bytes) -> bytes:
    """Return an SVG file with the mark below its first line, and a signature in its last."""
    first, rest = svg.split(b"\n", 1)
    return signed((first + b"\n" + _COMMENT + rest).decode(), _LAST).encode()


def known(format: str, content: bytes) -> bool:
    """Return True if this package drew a file and nothing was appended.

    Args:
      format: "svg" or "png".
      content: the whole file.
    """
    if format == "svg":
        return _SVG.match(content) is not None and is_signed(
            content.decode("utf-8", "replace"), _LAST
        )
    text = b"tEXt" + b"\0".join(part.encode() for part in ("Software", _NAME))
    ours = content.startswith(b"\x89PNG") and text in content[:1000]
    return ours and content.endswith(b"IEND\xaeB`\x82")
