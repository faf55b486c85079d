"""Real sentences that exist on every machine on which this package is installed.

They are the first sentences of all docstrings in the core dependencies, read with `ast` without
importing anything; the class is the library. Only core dependencies and their own dependencies are
read, so installed extras change nothing. The rows follow from the package versions, which are
recorded in the facts. Sentences that name a class, or that occur twice, are dropped: the rest must
be told apart by subject and style.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attn_nlp.data.digests import sha256_of
from attn_nlp.data.files import code_stamp, read_columns, write_columns
from attn_nlp.data.rows import Raw
from attn_nlp.data.source import Source
from attn_nlp.errors import UserError
from attn_nlp.files.atomic import replacing

# class -> (distribution, folder of its modules)
LIBRARIES = {
    "fonttools": ("fonttools", "fontTools"),
    "huggingface_hub": ("huggingface-hub", "huggingface_hub"),
    "jax": ("jax", "jax"),
    "matplotlib": ("matplotlib", "matplotlib"),
    "numpy": ("numpy", "numpy"),
    "orbax": ("orbax-checkpoint", "orbax/checkpoint"),
    "pandas": ("pandas", "pandas"),
    "scikit-learn": ("scikit-learn", "sklearn"),
    "scipy": ("scipy", "scipy"),
}
NICKNAMES = ("sklearn", "scikit", "hugging face", "huggingface", "mpl", "font tools", "pyplot")
NAMES_A_CLASS = re.compile("|".join([*LIBRARIES, *NICKNAMES]), re.IGNORECASE)
NOT_OURS = {"tests", "test", "testing", "_vendor", "externals", "extern", "vendor"}

FEWEST_WORDS, MOST_WORDS = 4, 60
LEAST_PROSE = 0.85  # share of letters and spaces; below it a line is a signature or a table
ENOUGH = 1_400  # sentences per library: classes of similar size, and fewer files to parse
HELD_OUT = 200  # sentences per library in test, and as many in validation
MOST_OF_A_FILE = 40  # so that no single file dominates a split
_SUM = ".sha256"

SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)
ROLE = re.compile(r":[a-zA-Z:+-]+:(?=`)")
MARKUP = re.compile(r"[`*]+")
RULE = (
    "by module file, in the order of SHA-256 of its name: of each library the first files with "
    f"{HELD_OUT} sentences are test, the next as many validation"
)


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring, on one line and without markup.

    Example:
      >>> first_sentence("Return the :func:`sum` of *all* items.\\n\\nMore text.")
      'Return the sum of all items.'
    """
    paragraph = docstring.strip().split("\n\n", 1)[0]
    line = " ".join(MARKUP.sub("", ROLE.sub("", paragraph)).split())
    sentence = SENTENCE.match(line)
    return sentence.group() if sentence else line


def is_prose(sentence: str) -> bool:
    """Return whether a sentence has a suitable length, is mostly letters, and names no class."""
    words = sentence.split()
    letters = sum(c.isalpha() or c == " " for c in sentence)
    return (
        FEWEST_WORDS <= len(words) <= MOST_WORDS
        and letters >= LEAST_PROSE * len(sentence)
        and sentence.isprintable()
        and not NAMES_A_CLASS.search(sentence)
    )


def docstrings_of(file: Path) -> Iterator[str]:
    """Yield the docstrings of a module, its classes and functions, in source order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # another package's invalid escape sequences
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, OSError):
            return  # a template, or a file for another version of Python
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text
        inner = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]
        waiting.extend(reversed(inner))


def module_files(package: str) -> list[tuple[str, Path]]:
    """Return (name, path) of a package's modules, sorted by name; names are the same everywhere."""
    from importlib.util import find_spec

    import_name, _, below = package.partition("/")  # others may share a namespace
    spec = find_spec(import_name)  # does not import anything for a top-level name
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"dataset 'docstrings' reads the package {import_name!r}, which is not installed; "
            "install attn-nlp with its dependencies."
        )
    modules = {}
    for location in spec.submodule_search_locations:
        root = Path(location, below)
        for file in root.rglob("*.py"):
            parts = file.relative_to(root).parts
            if not NOT_OURS.intersection(parts):
                modules["/".join([package, *parts])] = file
    return sorted(modules.items())


def path_hash(module: str) -> bytes:
    """Return the SHA-256 of a module's name, which gives an order unrelated to folders."""
    return hashlib.sha256(module.encode("utf-8")).digest()


def same(sentence: str) -> str:
    """Return the words of a sentence without case and punctuation; equal ones count as one."""
    return " ".join(re.findall(r"\w+", sentence.casefold()))


def collect() -> dict[str, list[str]]:
    """Return columns text, label, split and module of all sentences, by library and file.

    The files of each library are read in the order of the hashes of their names until there are
    enough sentences. The first files are test until it is full, the next validation, and the rest
    train. So all sentences of a file are in one split, and every split has its share of every
    class.
    """
    rows: list[tuple[str, str, str, str]] = []
    for library, (_, package) in LIBRARIES.items():
        read = 0
        for module, file in sorted(module_files(package), key=lambda entry: path_hash(entry[0])):
            split = "test" if read < HELD_OUT else "validation" if read < 2 * HELD_OUT else "train"
            sentences = [s for s in map(first_sentence, docstrings_of(file)) if is_prose(s)]
            sentences = sentences[:MOST_OF_A_FILE]
            rows.extend((sentence, library, split, module) for sentence in sentences)
            read += len(sentences)
            if read >= ENOUGH:
                break
    times = Counter(same(row[0]) for row in rows)
    kept = [row for row in rows if times[same(row[0])] == 1]
    columns = (list(column) for column in zip(*kept, strict=True))
    return dict(zip(("text", "label", "split", "module"), columns, strict=True))


def versions() -> dict[str, str]:
    """Return the installed version of every library that is read."""
    from importlib.metadata import version

    return {library: version(dist) for library, (dist, _) in LIBRARIES.items()}


def docstrings(folder: Path) -> Raw:
    """Return first sentences of docstrings, labeled with their library.

    Parsing two thousand files takes several seconds, so the sentences are cached in `folder`, in a
    file named after the versions and the code that reads them.

    Args:
      folder: where to cache the sentences.

    Returns:
      Rows in the order of libraries and files; all sentences of a file are in one split.

    Raises:
      UserError: one of the packages is not installed.
    """
    installed = versions()
    stamp = repr([code_stamp(), sorted(installed.items())]).encode("utf-8")
    kept = folder / f"docstrings-{hashlib.sha256(stamp).hexdigest()[:16]}.parquet"
    columns = _unchanged(kept)
    if columns is None:
        columns = collect()
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as unfinished:
            write_columns(unfinished, columns)
        with replacing(kept.with_suffix(_SUM)) as unfinished:
            unfinished.write_text(sha256_of(kept), encoding="ascii")
    splits: dict[str, tuple[list, list]] = {s: ([], []) for s in ("train", "validation", "test")}
    for text, label, split in zip(columns["text"], columns["label"], columns["split"], strict=True):
        texts, labels = splits[split]
        texts.append(text)
        labels.append(label)
    return Raw(splits, None, "installed packages", installed)


def _unchanged(kept: Path) -> dict[str, list[str]] | None:
    """Return the cached sentences, or None if there is no such file or it has changed."""
    with suppress(OSError, UnicodeDecodeError):
        if kept.with_suffix(_SUM).read_text(encoding="ascii") == sha256_of(kept):
            return read_columns(kept)
    return None


DOCSTRINGS = Source(
    "docstrings",
    "Docstrings",
    "en",
    labels=tuple(LIBRARIES),
    validation_rule=RULE,
    test_rule=RULE,
    license="BSD-3-Clause, Apache-2.0, MIT and PSF-based: those of the packages",
    cite="the packages' authors",
    note="the rows follow from the package versions; compare only runs with equal fingerprints",
    embedded=True,
    make=docstrings,
)
