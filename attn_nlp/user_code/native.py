"""Find data files that a library may read natively: in C or Rust, so that Python does not notice.

    TABLE = pyarrow.parquet.read_table(Path(__file__).with_suffix(".parquet"))

Nobody can tell which files such a library has read. So if code imports one, all files in the code's
folder and below it, and in folders that its strings name, count as read if their names end as those
of such a library's files do. If a part declares one of these files, only those that it declares
count.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain

from attn_nlp.errors import UserError
from attn_nlp.user_code.code_text import is_main
from attn_nlp.user_code.modules import is_own
from attn_nlp.user_code.opened import is_data

Owns = Callable[[str], bool]  # returns whether a module of that name is the user's

# Installed libraries that open files through Python, which notices.
_HEARD = {
    *("attn_nlp", "flax", "jax", "jaxlib", "matplotlib", "numpy", "optax"),
    *("einops", "joblib", "requests", "rich", "seaborn", "sklearn", "tqdm", "yaml"),
}
_UNHEARD = {"ctypes"}  # of Python itself
# Endings of files that libraries read natively, and that are hardly ever text.
_BINARY = (
    *(".parquet", ".pq", ".feather", ".arrow", ".ipc", ".orc", ".h5", ".hdf", ".hdf5", ".nc"),
    *(".nc4", ".cdf", ".zarr", ".lmdb", ".mdb", ".duckdb", ".safetensors", ".onnx", ".gguf"),
    *(".ggml", ".pt", ".pth", ".ckpt", ".pb", ".tflite", ".tfrecord", ".model", ".spm", ".bin"),
    *(".ftz", ".ann", ".faiss", ".index", ".ubj", ".cbm", ".klm", ".arpa", ".mtx", ".mat"),
    *(".sav", ".dta", ".sas7bdat", ".xpt", ".rds", ".rda", ".rdata"),
)
_TEXT = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".vocab", ".xlsx", ".gz", ".zst")
# Libraries that read such text natively.
_TEXT_READERS = {
    *("catboost", "daft", "datasets", "duckdb", "fasttext", "lightgbm", "polars", "pyarrow"),
    *("sentence_transformers", "sentencepiece", "tensorflow", "tokenizers", "transformers"),
    *("xgboost", "ctypes"),
}
_TABLES = (b'{\n "schema": "attn-nlp/', b"title,row,kind,")  # how tables of this package begin
_SKIPPED = {"__pycache__", "node_modules", "runs"}
_ENVIRONMENTS = {"pyvenv.cfg", "conda-meta"}
_MOST_ENTRIES = 200_000
_MOST_FILES = 1_000
_MOST_BYTES = 2**28


def unheard(tree: ast.Module, owns: Owns) -> set[str]:
    """Return the libraries that code imports and that may read files without Python noticing."""
    found: set[str] = set()
    entered = (statement for statement in tree.body if not is_main(statement))
    for node in chain.from_iterable(map(ast.walk, entered)):
        match node:
            case ast.Import(names=names):
                tops = {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str() as module, level=0):
                tops = {module.partition(".")[0]}
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as module), *_],
            ):
                tops = {module.partition(".")[0]} - {""}
            case _:
                continue
        others = tops - _HEARD - sys.stdlib_module_names | tops & _UNHEARD
        found |= {top for top in others if not owns(top)}
    return found


def endings(libraries: Collection[str]) -> tuple[str, ...]:
    """Return the endings of files that some of these libraries may read natively."""
    if not libraries:
        return ()
    return _BINARY if _TEXT_READERS.isdisjoint(libraries) else (*_BINARY, *_TEXT)


def beside(
    folders: Iterable[str], ends: tuple[str, ...], leaves: Callable[[str], bool]
) -> Iterator[str]:
    """Yield files in folders and below them that a library may read natively.

    Hidden folders, environments of Python, and tables of this package do not count.

    Args:
      folders: absolute paths.
      ends: from `endings`.
      leaves: returns whether a file does not count.

    Raises:
      UserError: there are too many of them to tell whether one has changed.
    """
    entries = files = size = 0
    seen: set[str] = set()
    for top in folders:
        for folder, below, names in os.walk(top, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen or (folder != top and not _ENVIRONMENTS.isdisjoint([*names, *below])):
                below.clear()
                continue
            seen.add(real)
            entries += len(names) + len(below)
            below[:] = sorted(name for name in below if _is_entered(folder, name))
            inside = f"{folder}{os.sep}".lower()
            in_store = any(f"{end}{os.sep}" in inside for end in (".zarr", ".lmdb"))
            for name in sorted(names):
                file = os.path.join(folder, name)
                if not (in_store or name.lower().endswith(ends)) or leaves(file):
                    continue
                if not os.path.isfile(file) or not is_data(file, top) or _is_table(file):
                    continue
                files, size = files + 1, size + os.path.getsize(file)
                yield file
            if entries > _MOST_ENTRIES or files > _MOST_FILES or size > _MOST_BYTES:
                raise UserError(
                    f"{top} contains too many or too large files that a library which the code "
                    "imports may read without Python noticing; name those that the part reads, or "
                    'one if it reads none, in its decorator: files=["FILE"].'
                )


def _is_entered(folder: str, name: str) -> bool:
    hidden = name.startswith(".") or name in _SKIPPED
    return not hidden and is_own(os.path.join(folder, name, ""))


def _is_table(file: str) -> bool:
    if not file.endswith((".csv", ".json")):
        return False
    with open(file, "rb") as opened:
        return opened.read(64).startswith(_TABLES)
