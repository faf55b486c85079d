"""CSV: a stray quote, an odd header, another dialect are rejected; ordinary files read whole."""

from __future__ import annotations

import pytest

from attn_nlp.data.columns import Wanted
from attn_nlp.data.csv_rows import read_csv
from attn_nlp.errors import UserError

WANTED = Wanted(("text", "sentence"), "label")
ROWS = [(f"tweet {n}", "ab"[n % 2]) for n in range(200)]


def read(folder, content: str):
    file = folder / "q.csv"
    file.write_text(content, newline="")
    found = read_csv(file, WANTED)
    return found.texts, found.labels, found.ignored


def lines(changed=(), label_first=False) -> str:
    """Two hundred rows, some texts of which are written otherwise."""
    texts = dict(changed)
    cells = [(texts.get(n, text), label) for n, (text, label) in enumerate(ROWS)]
    rows = [(label, text) if label_first else (text, label) for text, label in cells]
    head = "label,text" if label_first else "text,label"
    return f"{head}\n" + "".join(f"{one},{two}\n" for one, two in rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lines([(20, '"one'), (101, '"two')]), r"line 22: .* after its closing quote .*line 103"),
        (lines([(n, f'"start {n}') for n in range(200)]), "line 2: .* after its closing quote"),
        (lines([(20, '"one'), (101, 'two"')]), "line 22: a quoted field of 82 lines .* whole rows"),
        (
            lines([(20, '"one'), (101, 'two"')], label_first=True),
            "line 22: a quoted field of 82 lines .* whole rows",
        ),
        ('text,label\n"one, a\ntwo, b\nthree", a\nfour,b\n', "line 2: a quoted field of 3 lines"),
        (lines([(199, '"one')]), "line 201: the quote that opens in this row is never closed"),
        (lines([(20, '"one')]), "line 22: the quote .* never closed .*line 201"),
        (lines([(3, '"oops" is nice')]), "line 5: a quoted field continues after its"),
        (lines([(3, r'"they \"say\" so"')]), "line 5: a quoted field continues after"),
        (lines([(3, ' "quoted"')]), "line 5: a space before the quote"),
        ('id,text,label\n1,x,a\n"2,y,b\n3,z",w,a\n4,v,b\n', "line 3: a quoted field of 2 lines"),
        # The only rows of a class; and labels with a space after their comma.
        ('text,label\na,x\n"b,rare\nc,rare\nd,rare\nis 5",x\n', "line 3: a quoted .* of 4 lines"),
        ('label,text\nx, a\nx,"b\nx, c\nx, d\nx, e"\ny, f\n', "line 3: a quoted .* of 4 lines"),
    ],
)
def test_a_stray_quote_is_named_by_its_line(tmp_path, content, said):
    with pytest.raises(UserError, match=rf"q\.csv, {said}"):
        read(tmp_path, content)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_cells_with_breaks_quotes_and_commas_are_read(tmp_path, end):
    cells = ['"two\nlines, yes"', '5" pipe', '"say ""yes"", he"', '"a\n\nb"', "", "NA", " x "]
    content = "text,label" + end + end.join(f"{cell},a" for cell in cells) + end + end + "last,b"
    texts, labels, _ = read(tmp_path, content)
    assert texts == [
        "two\nlines, yes",
        '5" pipe',
        'say "yes", he',
        "a\n\nb",
        "",
        "NA",
        " x ",
        "last",
    ]
    assert labels == ["a"] * 7 + ["b"]


def test_prose_of_many_lines_is_no_swallowed_row(tmp_path):
    letter = "Dear all,\nno, not now,\n1, 2\nYes, a\nyours, b"
    texts, _, _ = read(tmp_path, f'label,text\na,"{letter}"\nno,x\nYes,y\n')
    assert texts[0] == letter


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "q.csv is empty"),
        ("text,label\n", "q.csv has a header but no rows"),
        ("text,text,label\na,x,1\n", "q.csv: 2 columns are named 'text'"),
        ("label,text,label\na,x,1\n", "q.csv: 2 columns are named 'label'"),
        ("text,label,label\na,x,1\n", "q.csv: 2 columns are named 'label'"),
        ("text;label\na;x\n", "one column, 'text;label': its separator seems to be ';'"),
        ("text\tlabel\na, b\tx\n", r"one column, 'text\\tlabel': its separator seems to be a tab"),
        ("sep=,\ntext,label\na,x\n", "begins with 'sep=,'; remove that line"),
        ("text,label\na,x,\n", "row 1: 3 fields under 2 column names; .* a comma too many"),
        ("text,label\na, b,x\n", 'row 1: 3 fields under 2 .* in "double quotes"'),
        ("text,label\na\n", "row 1: 1 fields under 2 .* a field for each column"),
        *(
            (f"id,text,label\n1,a,x\n{header}\n2,b,y\n", "line 3: the column names again")
            for header in (
                *("id,text,label", "\ufeffid,text,label", "ID,Text,Label", " id, text , label "),
                *("label,text,id", '"\ufeffid","TEXT","label"', "no,sentence,Label"),
            )
        ),
    ],
)
def test_headers_and_dialects_that_would_be_misread(tmp_path, content, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, content)


def test_columns_without_a_name_are_read_past_and_counted(tmp_path):
    texts, labels, ignored = read(tmp_path, ",text,label,\n0,a,x,\n1,b,y,\n")
    assert (texts, labels) == (["a", "b"], ["x", "y"])
    assert ignored == {
        "(column 1, without a name)": ["0", "1"],
        "(column 4, without a name)": [],
    }


def test_a_class_may_be_named_as_a_column(tmp_path):
    content = "id,text,label\n1,a,text\n2,text,x\n3,a label,label\n4,id,id\n"
    assert read(tmp_path, content)[1] == ["text", "x", "label", "id"]


def test_the_header_names_columns_of_any_number_and_place(tmp_path):
    many = [f"c{n}" for n in range(1000)]
    head, row = ",".join(["label", *many, "text"]), ",".join(["x", *["1.5"] * 1000, "a"])
    texts, labels, ignored = read(tmp_path, f"{head}\n{row}\n")
    assert (texts, labels, list(ignored)) == (["a"], ["x"], many)
