"""Files: the same bytes every time, no JAX, looks that survive print without color."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from attn_nlp.catalogue.lookup import one
from attn_nlp.errors import UserError
from attn_nlp.figures import mechanism, plate, save
from attn_nlp.figures.render import LOOKS

SCRIPT = """
import sys
from pathlib import Path
from attn_nlp.catalogue.lookup import one
from attn_nlp.figures import mechanism, save
save(mechanism(one("query_mix")), Path(sys.argv[1]))
print(*sys.modules)
"""


def written(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_another_process_writes_the_same_bytes_and_needs_no_jax(tmp_path):
    save(mechanism(one("query_mix")), tmp_path / "here")
    there = tmp_path / "there"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(there)], capture_output=True, text=True, check=True
    )
    assert written(there) == written(tmp_path / "here")
    assert not {"jax", "flax", "matplotlib.pyplot"} & set(ended.stdout.split())


def test_the_files_hold_no_date_and_no_host(tmp_path):
    save(plate(), tmp_path)
    files = written(tmp_path)
    assert list(files) == ["plate.png", "plate.svg"]
    assert files["plate.png"].startswith(b"\x89PNG")
    for name in ("dc:date", "matplotlib.org/", "/home/"):
        assert name.encode() not in files["plate.svg"].split(b"<defs>")[0].replace(b"xmlns", b"")


def test_the_svg_is_well_formed_and_needs_no_font(tmp_path):
    (path,) = save(plate(), tmp_path, ("svg",))
    root = ElementTree.fromstring(path.read_bytes())
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "path" in kinds
    assert not kinds & {"text", "script", "image"}
    assert "Three mechanisms of attention" in path.read_text()


def test_a_label_of_the_users_own_cannot_break_a_file(tmp_path):
    """XML allows few control characters, and a screen obeys those that turn text around."""
    part = dataclasses.replace(
        one("query_mix"), label="La\x1b[31m\uffffbel\x07\u202e", cite="a\x00b"
    )
    for path in save(mechanism(part), tmp_path):
        content = path.read_bytes()
        assert b"La[31mbel" in content
        assert not any(each in content for each in (b"\x1b[31m", b"bel\x07", b"bel\xe2\x80\xae"))
    ElementTree.parse(tmp_path / "mixer-query_mix.svg")


def luminance(color: str) -> float:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_looks_differ_without_color():
    """Borders differ in width or dashes, corners or grounds; text is read on every ground."""
    drawn = {name: look for name, look in LOOKS.items() if name not in ("bare", "formula")}
    shown = {name: (look.line, str(look.dashes), look.round) for name, look in drawn.items()}
    shown["step"] = (*shown["step"], "gray ground")
    assert len(set(shown.values())) == len(shown)
    assert all(luminance(look.ground) > 0.7 for look in drawn.values())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is no folder"):
        save(plate(), tmp_path / "file")
