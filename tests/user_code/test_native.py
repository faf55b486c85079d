"""Files count that a library may read natively, under whatever name the code computes."""

from __future__ import annotations

import pytest

from attn_nlp.errors import UserError
from attn_nlp.parts import registry
from attn_nlp.user_code import native
from tests.user_code.test_hashing import folder, specs, write  # noqa: F401  a fixture

HERE = "import pathlib\nHERE = pathlib.Path(__file__).parent\nNAME = 'ga' + 'in'\n"
READ = f"{HERE}import pyarrow.parquet as pq\n"
FIRST = "return T['g'][0]"
WAYS = {
    "pandas": (f"{HERE}import pandas\nT = pandas.read_parquet(HERE / (NAME + '.parquet'))", FIRST),
    "a table that is kept": (f"{READ}T = pq.read_table(HERE / (NAME + '.parquet'))", FIRST),
    "one number of many": (
        f"{READ}T = pq.read_table(HERE / f'{{NAME}}.parquet')['g'].to_numpy()",
        "return T[0]",
    ),
    "by a pattern": (
        f"{READ}T = sum(pq.read_table(file)['g'][0].as_py() for file in HERE.glob('*.parquet'))",
        "return T",
    ),
    "by a function that says how long it took": (
        f"{READ}import time\n"
        "def load(name):\n"
        "    start = time.perf_counter()\n"
        "    value = pq.read_table(HERE / f'{name}.parquet')['g'][0].as_py()\n"
        "    print(time.perf_counter() - start)\n"
        "    return value\n"
        "T = load(NAME)",
        "return T",
    ),
    "in a hook": (
        HERE,
        "import pyarrow.parquet as pq; return pq.read_table(HERE / f'{NAME}.parquet')['g'][0]",
    ),
    "from a folder below": (f"{READ}T = pq.read_table(HERE / 'in' / f'{{NAME}}.parquet')", FIRST),
    "from a folder elsewhere": (
        f"{READ}T = pq.read_table(HERE.parent / 'in' / f'{{NAME}}.parquet')",
        FIRST,
    ),
    "as it imports the library by name": (
        f"{HERE}import importlib\npq = importlib.import_module('pyarrow.parquet')\n"
        "T = pq.read_table(HERE / (NAME + '.parquet'))",
        FIRST,
    ),
    "beside what it writes": (
        f"{READ}T = pq.read_table(HERE / f'{{NAME}}.parquet')\n"
        "def save(table): pq.write_table(table, 'new_' + NAME + '.parquet')",
        FIRST,
    ),
}


def write_gains(*files, gain):
    import pyarrow
    import pyarrow.parquet

    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table({"g": [gain] + [0.5] * 9_999}), file)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_read_natively_counts(folder, way):  # noqa: F811
    top, inside = WAYS[way]
    own = folder / "own"
    files = [own / "gain.parquet", own / "in" / "gain.parquet", folder / "in" / "gain.parquet"]
    found = []
    for gain in (0.3, 0.3, 0.7):
        write_gains(*files, gain=gain)
        found.append(specs(own, top, inside))
        value = registry.find("score", "mine").hooks["score"](0, 0)
        assert float(getattr(value, "as_py", lambda value=value: value)()) == gain
    assert found[0] == found[1]
    assert found[1][0] == found[2][0]
    assert found[1][1] != found[2][1]


def test_a_tokenizer_counts_and_tables_beside_it_do_not(folder):  # noqa: F811
    tokenizers = pytest.importorskip("tokenizers")
    top = f"{HERE}import tokenizers\nT = tokenizers.Tokenizer.from_file(f'{{HERE}}/{{NAME}}.json')"
    found = []
    for words in ("a", "a", "ab"):
        model = tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, "a")
        tokenizers.Tokenizer(model).save(str(folder / "gain.json"))
        found.append(specs(folder, top)[1])
        write(folder, {"out.json": f'{{\n "schema": "attn-nlp/tables/1", "n": {len(found)}}}'})
        write(folder, {"out.csv": f"title,row,kind,n\nS,mine,1,{len(found)}"})
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("top", "inside", "line", "name"),
    [
        ("import pandas", "q.to_parquet('out.parquet')", "", "out.parquet"),
        ("import pandas", "q.to_parquet(f'{q}.parquet')", "", "3.parquet"),
        ("import pandas", "q.to_parquet('new_' + q + '.parquet')", "", "new_3.parquet"),
        ("import pandas", "q.to_parquet('new_%s.parquet' % q)", "", "new_3.parquet"),
        ("import pandas", "q.to_parquet('new_{}.parquet'.format(q))", "", "new_3.parquet"),
        ("import pandas", "q.to_parquet(HERE / f'of_{q}.parquet')", "", "of_3.parquet"),
        ("import pandas", "", "", "out.csv"),
        ("import pandas", "", "", ".hidden/gain.parquet"),
        ("import pandas", "", "", "env/lib/gain.parquet"),
        ("import pandas", "", ", files=['gain.parquet']", "other.parquet"),
        ("import sklearn", "", "", "gain.parquet"),
        ("if __name__ == '__main__':\n    import pandas", "", "", "gain.parquet"),
    ],
)
def test_an_output_and_what_no_library_reads_do_not_count(folder, top, inside, line, name):  # noqa: F811
    write(folder, {name: "1", "gain.parquet": "1", "env/pyvenv.cfg": ""})
    before = specs(folder, top, inside, line)
    write(folder, {name: "2"})
    assert specs(folder, top, inside, line) == before


def test_files_without_end_must_be_declared(folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(native, "_MOST_FILES", 1)
    write(folder, {"a.parquet": "1", "b.parquet": "1"})
    with pytest.raises(UserError, match=r"too many or too large files .* files=\[\"FILE\"\]"):
        specs(folder, "import pandas")
    assert specs(folder, "import pandas", line=", files=['a.parquet']")
