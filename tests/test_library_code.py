"""The digest of the code that decides results: what is in it, and what is not."""

from __future__ import annotations

import ast
import io
import sys
import tokenize

import pytest

from attn_nlp import library_code
from attn_nlp.library_code import (
    DECIDING,
    code_digest,
    deciding_files,
    is_mixed,
    without_texts,
)
from attn_nlp.runner.provenance import provenance

FILES = [*deciding_files()]
WORDS = (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP)


def words(source: str, texts: set[str] = frozenset()) -> list[str]:
    """The tokens of a source; a text counts without blank lines, and some not at all."""
    told = tokenize.generate_tokens(io.StringIO(source).readline)
    found = [token.string for token in told if token.type in WORDS and token.string not in texts]
    return ["\n".join(filter(str.strip, each.split("\n"))) for each in found]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_but_texts_and_comments_is_left_out(file):
    source = file.read_text("utf-8")
    texts = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.ClassDef() | ast.Module() if ast.get_docstring(node):
                texts.add(ast.get_source_segment(source, node.body[0]))
            case ast.keyword(arg="doc", value=ast.Constant() as value):
                texts.add(ast.get_source_segment(source, value))
    kept = without_texts(source)
    assert words(source, texts) == words_of_rest(kept)


def words_of_rest(kept: str) -> list[str]:
    """The tokens of code in which a class may have had a docstring alone."""
    lines, found = kept.split("\n"), []
    for place, line in enumerate(lines):
        found.append(line)
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if line.startswith("class ") and line.endswith(":") and not following.startswith(" "):
            found.append("    _lacking_")
    return [word for word in words("\n".join(found) + "\n") if word != "_lacking_"]


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ('"""Doc."""\nx = 1  # one\n\n# two\ny = "# no"\n', 'x = 1\ny = "# no"'),
        (
            'def f():\n    r"""Say \\"hi\\"."""\n    return \'"""\'\n',
            'def f():\n    return \'"""\'',
        ),
        ('x = """kept\n# here"""\n', 'x = """kept\n# here"""'),
        ("x = 'it\\'s # no'  # yes\n", "x = 'it\\'s # no'"),
    ],
)
def test_texts(source, kept):
    assert without_texts(source) == kept


def test_the_files_of_all_that_computes_are_read():
    names = {file.relative_to(library_code._ROOT).as_posix() for file in FILES}
    for place in DECIDING:
        assert any(name.startswith(place) for name in names), place
    assert {"metrics.py", "data/rows.py", "nn/parts/scores.py", "baselines.py"} <= names
    others = {"parts/registry.py", "data/cache.py", "tables/views/scores.py", "runner/run.py"}
    assert not others & names


def test_an_edit_of_a_formula_changes_the_digest_and_a_comment_does_not(tmp_path, monkeypatch):
    root = tmp_path / "attn_nlp"
    for file in FILES:
        copy = root / file.relative_to(library_code._ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    monkeypatch.setattr(library_code, "_ROOT", root)
    monkeypatch.setattr(library_code, "_awaited", {})
    digest = code_digest.__wrapped__
    before = digest()
    assert before == code_digest() == provenance()["code"]
    scales = root / "nn" / "parts" / "scales.py"
    text = scales.read_text()
    scales.write_text(f"# A remark.\n\n{text}\n")
    assert digest() == before
    scales.write_text(text.replace('"D**-0.5"', '"D**-0.6"', 1))
    assert digest() != before
    scales.write_text(text)
    assert digest() == before
    (root / "train" / "more.py").write_text("x = 1\n")
    assert digest() != before


def test_what_is_imported_after_an_edit_is_noticed(tmp_path, monkeypatch):
    """Modules are imported late: the digest of a process may be older than what it runs."""
    root = tmp_path / "attn_nlp"
    (root / "train").mkdir(parents=True)
    late, other = root / "train" / "late.py", root / "train" / "other.py"
    late.write_text("x = 1\n")
    other.write_text("x = 1\n")
    monkeypatch.setattr(library_code, "_ROOT", root)
    monkeypatch.setattr(library_code, "DECIDING", ("train",))
    monkeypatch.setattr(library_code, "_awaited", {})
    code_digest.__wrapped__()
    other.write_text("x = 22\n")
    assert not is_mixed(), "nothing of it has been imported"
    monkeypatch.setitem(sys.modules, "attn_nlp.train.late", library_code)
    assert not is_mixed(), "imported as it was"
    late.write_text("x = 22\n")
    assert not is_mixed(), "what was edited later is not what runs"
    monkeypatch.setitem(sys.modules, "attn_nlp.train.other", library_code)
    assert is_mixed()
