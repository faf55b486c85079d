"""Checks of an experiment file: every error is one line with what was given and what is allowed.

The snippets are written as in a file, so that each is read as the person who wrote it would.
"""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path

import numpy as np
import pytest

from attn_nlp import errors, experiment
from attn_nlp.errors import UserError
from attn_nlp.experiment import Attention, Cell, Experiment, Row, Table, vary

NAMES = {**vars(experiment), "np": np, "Path": Path}
GOOD = {
    "base": "Cell()",
    "axes": "[vary('heads', 1, 2), vary('seed', 0, 1)]",
    "tables": "[Table('T', 'heads')]",
}


def made(**changed: str) -> Experiment:
    """An experiment of arguments as they would be written."""
    text = ", ".join(f"{name}={value}" for name, value in {**GOOD, **changed}.items())
    return eval(f"Experiment({text})", dict(NAMES))


EXPERIMENTS = [
    ("axes", "None", "axes is None; give a list: axes=[vary('heads', 1, 4)]"),
    ("axes", "'heads'", "axes is 'heads'; give a list: axes=[vary('heads', 1, 4)]"),
    ("axes", "['heads']", "axes[0] is 'heads'; give its values: vary('heads', 1, 4)"),
    ("axes", "vary('heads', 1)", "axes is Axis(...); put it in a list: axes=[vary('heads', 1, 4)]"),
    ("axes", "[{'heads': 1}]", "axes[0] is {'heads': 1}; give vary('heads', 1, 4)"),
    ("axes", "[skip('x', when={'heads': 1})]", "axes[0] is Skip(...); put it into skips=[...]"),
    ("axes", "[vary]", "axes[0] is <function vary"),
    ("axes", "{vary('heads', 1).paths}", "give a list"),
    ("base", "{}", "base is {}; give base=Cell(heads=4)"),
    ("base", "Cell", "base is the class Cell; give base=Cell(heads=4)"),
    (
        "tables",
        "Table('T', 'heads')",
        "tables is Table(...); put it in a list: tables=[Table(...)]",
    ),
    ("tables", "[None]", "tables[0] is None; give Table('title', rows='heads')"),
    ("tables", "[[Table('T', 'heads')]]", "tables[0] is [Table("),
    ("tables", "5", "tables is 5; give a list: tables=[Table(...)]"),
    ("skips", "['heads']", "skips[0] is 'heads'; give skip('reason', when={'heads': 4})"),
    ("skips", "skip('x', when={'heads': 1})", "put it in a list: skips=[skip(...)]"),
    ("skips", "None", "skips is None; give a list"),
    ("tuning", "5", "tuning is 5; give tuning=Tuning(budget=16)"),
    ("tuning", "True", "tuning is True; give tuning=Tuning()"),
    ("tuning", "Tuning", "tuning is the class Tuning; give tuning=Tuning()"),
]


@pytest.mark.parametrize(("name", "written", "message"), EXPERIMENTS)
def test_an_argument_of_another_type_is_rejected_with_the_form_it_takes(name, written, message):
    with pytest.raises(UserError) as rejected:
        made(**{name: written})
    assert message in str(rejected.value)
    assert str(rejected.value).startswith("Experiment(...): ")
    assert "\n" not in str(rejected.value)


SNIPPETS = [
    ("Table(None, 'heads')", "Table(...): title is None; it must be a string"),
    ("Table(3, 'heads')", "Table(...): title is 3; it must be a string"),
    ("Table('', 'heads')", "title is empty"),
    ("Table(' ', 'heads')", "title is empty"),
    ("Table('a\\nb', 'heads')", "title is 'a\\nb', with '\\n' in it; give a string of one line"),
    ("Table('a\\0', 'heads')", "without control characters"),
    ("Table('a\\ud800', 'heads')", "with '\\ud800' in it"),
    ("Table(b'T', 'heads')", "title is b'T'; it must be a string"),
    ("Table('T', 3)", "table 'T': rows is 3; give a list: rows=[Row(...)]"),
    ("Table('T', None)", "table 'T': rows is None"),
    ("Table('T', ['heads'])", "rows[0] is 'heads'; give a Row, or a single path for a row of ever"),
    ("Table('T', [{'heads': 1}])", "rows[0] is {'heads': 1}; give it a label: Row('label'"),
    ("Table('T', Row('a', {}))", "rows is Row(...); put it in a list: rows=[Row(...)]"),
    (
        "Table('T', [Row('a', {}), Row('a', {})])",
        "table 'T' has two rows 'a'; give them different labels",
    ),
    (
        r"Table('T', [Row('a b', {}), Row('a\u200b  b ', {})])",
        "table 'T' has two rows 'a b'; give",
    ),
    ("Table('T', [])", "table 'T' has no rows"),
    ("Table('T', {'a': 1})", "rows is {'a': 1}; give a list"),
    ("Table('T', 'heads', columns=None)", "columns is None; give a path, several, or ()"),
    ("Table('T', 'heads', columns=3)", "columns is 3; give a list: columns=['dataset', 'heads']"),
    ("Table('T', 'heads', columns=[3])", "columns[0] is 3; give a path, such as 'heads'"),
    ("Table('T', 'heads', columns={'heads'})", "columns is {'heads'}; give a list"),
    ("Table('T', 'heads', where={'heads'})", "where is {'heads'}; give settings by path, such as"),
    ("Table('T', 'heads', where=None)", "where is None; give settings by path"),
    ("Table('T', 'heads', each=3)", "each is 3; give a path, such as 'heads'"),
    ("Table('T', 'heads', each=['heads'])", "each is ['heads']; give a path"),
    ("Table('T', 'heads', over=3)", "over is 3; give a list: over=['seed']"),
    ("Table('T', 'heads', over=None)", "over is None; give () to average over nothing"),
    ("Table('T', 'heads', value='test.acuracy')", "Did you mean 'test.accuracy'?"),
    ("Table('T', 'heads', value=3)", "value is 3; allowed: test.accuracy"),
    ("Table('T', 'heads', family='x')", "family is 'x'; allowed: column, table"),
    ("Table('T', 'heads', family=['table'])", "family is ['table']; allowed: column, table"),
    ("Table('T', 'heads', note=3)", "table 'T': note is 3; it must be a string"),
    ("Row(3, {})", "Row(...): label is 3; it must be a string"),
    ("Row('a', 3)", "row 'a': where is 3; give settings by path"),
    ("Row('a', {'heads'})", "row 'a': where is {'heads'}"),
    ("Row('a', {}, cite=3)", "row 'a': cite is 3; it must be a string"),
    ("Row('a', {}, cite='a\\tb')", "without control characters"),
    ("Row('a\\uffff', {})", "without control characters"),
    ("Row('a', {}, reference='yes')", "row 'a': reference is 'yes'; allowed: True, False"),
    ("Row('a', {}, reference=1)", "row 'a': reference is 1; allowed: True, False"),
    ("vary('heads', [1, 4])", "did you mean vary('heads', 1, 4)?"),
    ("vary('heads', np.arange(9))", "did you mean vary('heads', *...)?"),
    ("vary('seed', range(10))", "did you mean vary('seed', *range(0, 10))?"),
    ("vary('heads', 1, [4])", "heads is [4]; it takes one value. To run several, write vary("),
    ("vary(3, 1)", "axis is 3; give a path, such as 'heads'"),
    ("vary(['heads'], 1)", "axis is ['heads']; give a path"),
    ("vary('heads', True)", "heads is True; allowed: integers >= 1"),
    ("vary('norm', {'pre'})", "did you mean vary('norm', *...)?"),
    ("vary('norm', b'pre')", "unknown norm b'pre'"),
    ("together(3)", "together(...): a point is 3; give settings by path"),
    ("together([{'heads': 1}, {'heads': 2}])", "did you mean together(*[{'heads': 1}"),
    ("together({})", "a point names no path"),
    ("together({1: 2})", "axis is 1; give a path"),
    ("Axis(({'heads': 1}, {'heads': 1}))", "Axis(...): {'heads': 1} is listed twice"),
    ("Axis(3)", "Axis(...) is 3; give a list"),
    ("skip(3, when={'heads': 1})", "skip(...): reason is 3; it must be a string"),
    ("skip('', when={'heads': 1})", "reason is empty"),
    ("skip('x', when={'heads'})", "skip('x'): when is {'heads'}; give settings by path"),
    ("skip('x', when={})", "skip('x'): when is empty"),
    ("skip('x', when={'heads': ()})", "skip('x'): no value for heads"),
    ("Cell(heads=[1, 4])", "it takes one value. To run several, write vary('heads', 1, 4)."),
    ("Cell(heads='4')", "heads is '4'; allowed: integers >= 1"),
    ("Cell(heads=np.bool_(True))", "heads is True; allowed: integers"),
    ("Cell(heads=10**5000)", "heads is one int; allowed: integers from 1 to 2147483647"),
    ("Cell(dropout=1j)", "dropout is a number, not 1j"),
    ("Cell(warmup=None)", "warmup is a number, not None"),
    ("Cell(attention='dot')", "attention is 'dot'; give attention=Attention(score='additive')"),
    ("Cell(attention={'score': 'dot'})", "give attention=Attention(score='additive')"),
    ("Attention(score=3)", "attention.score names a score; 3 is no name"),
    ("Attention(score='dott')", "Did you mean 'dot'?"),
    ("Attention(score='dot\\0')", "is malformed"),
    ("Attention(scale='constant(0.25, c=0.5)')", "setting 'c' is given twice"),
    ("Attention(score='+'.join(['dot'] * 9999))", "is malformed"),
    ("Attention(tie_qk='yes')", "attention.tie_qk is 'yes'; expected bool"),
    ("Cell(norm=['pre'])", "norm is ['pre']; it takes one value"),
    ("Cell(dataset='')", "dataset is empty"),
    ("Cell(dataset='a\\0.csv')", "without control characters"),
    ("Cell(dataset='a\\udcff.csv')", "with '\\udcff' in it"),
    ("Cell(dataset=b'd.csv')", "dataset is b'd.csv'; give a name, a Hub id, or a path as a string"),
    ("Cell(tokens='a\\nb')", "without control characters"),
    ("Cell(seed=1.0)", "seed is 1.0; allowed: integers from 0 to 4294967295"),
    ("Tuning(budget=0)", "budget is 0; allowed: integers from 1 to 10000"),
    ("Tuning(budget=-1)", "budget is -1"),
    ("Tuning(budget=True)", "budget is True"),
    ("Tuning(budget=10**9)", "budget is 1000000000; allowed: integers from 1 to 10000"),
    ("Tuning(space=['dropout'])", "space is ['dropout']; give settings by path, such as space="),
    ("Tuning(space={'dropout': (0, 0.5)})", "space['dropout'] is (0, 0.5); give its ends: log_uni"),
    ("Tuning(space={3: uniform(0, 1)})", "path in a tuning space is 3; give a path"),
    ("Tuning(seeds=3)", "seeds is 3; give a list: seeds=[1000, 1001]"),
    ("Tuning(seeds=[5, 5])", "a seed is listed twice"),
    ("Tuning(seeds=['5'])", "seed is '5'"),
    ("uniform('0', 1)", "uniform(...): low is a number, not '0'"),
    ("uniform(1, 0)", "uniform(1, 0) is not an interval"),
    ("uniform(0, float('inf'))", "uniform(...): high is inf"),
    ("uniform(0, float('nan'))", "uniform(...): high is nan"),
    ("log_uniform(0, 1)", "log_uniform(0, 1) has no logarithm at its low end"),
    ("log_uniform(1e-50, 1)", "log_uniform(...): low is 1e-50, and float32"),
]
SNIPPETS += [
    (f"Table('T', 'heads', margin={margin})", f"table 'T': margin is {said}; give a number above 0")
    for margin, said in (
        ("'0.01'", "'0.01'"),
        ("float('inf')", "inf"),
        ("float('nan')", "nan"),
        ("-1", "-1"),
        ("0", "0"),
        ("True", "True"),
        ("[0.1]", "[0.1]"),
    )
]


@pytest.mark.parametrize(("written", "message"), SNIPPETS)
def test_a_slip_is_one_line_that_names_what_was_given(written, message):
    with pytest.raises(UserError) as rejected:
        eval(written, dict(NAMES))
    assert message in str(rejected.value)
    assert "\n" not in str(rejected.value)
    assert len(str(rejected.value)) < 1000


def test_what_can_be_read_once_is_kept():
    found = made(
        axes="(vary(path, 1, 2) for path in ('heads', 'seed'))",
        tables="iter([Table('T', (Row(n, {'heads': int(n)}) for n in '12'), over=iter(['seed']))])",
    )
    first, again = found.resolve("name", ""), found.resolve("name", "")
    assert first == again
    assert len(first.cells) == 4
    assert [row["label"] for row in first.tables[0]["rows"]] == ["1", "2"]


def test_a_single_path_is_averaged_over_as_a_list_of_one():
    assert Table("T", "heads", over="seed") == Table("T", "heads", over=["seed"])


def test_a_note_may_run_over_lines():
    assert Table("T", "heads", note="One\n   sentence.").note == "One sentence."


def test_a_copy_with_other_fields_is_checked_too():
    table, tuned = Table("T", "heads"), made(tuning="Tuning()")
    with pytest.raises(
        UserError, match=r"margin is 2; test.accuracy is a share, so give a share: 0.02 is 2 points"
    ):
        dataclasses.replace(table, margin=2)
    assert dataclasses.replace(table, margin=2, value="test.loss").margin == 2
    with pytest.raises(UserError, match="margin is -1"):
        dataclasses.replace(table, margin=-1)
    with pytest.raises(UserError, match="tables is Table"):
        dataclasses.replace(tuned, tables=table)
    with pytest.raises(UserError, match="budget is 0"):
        dataclasses.replace(tuned.tuning, budget=0)


class Norm(enum.StrEnum):
    PRE = "pre"


@pytest.mark.parametrize(
    ("path", "given", "kept"),
    [
        ("heads", np.int64(4), 4),
        ("seed", np.uint32(7), 7),
        ("dropout", np.float32(0.1), 0.1),
        ("dropout", np.float64(0.3), 0.3),
        ("dropout", np.int8(0), 0.0),
        ("attention.tie_qk", np.bool_(True), True),
        ("attention.score", np.str_("additive"), "additive"),
        ("norm", Norm.PRE, "pre"),
        ("dataset", Path("sub") / "d.csv", "sub/d.csv"),
    ],
)
def test_scalars_of_other_libraries_are_plain_ones(path, given, kept):
    (found,) = vary(path, given).values(path)
    assert (found, type(found)) == (kept, type(kept))


class Broken:
    def __repr__(self):
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_is_named_by_its_class():
    with pytest.raises(UserError, match=r"heads is <?.*Broken"):
        Cell(heads=Broken())


def test_a_cell_of_a_checked_attention_is_the_same_as_of_its_settings():
    one = Cell(attention=Attention(scale="constant( 1 )"))
    assert one == Cell().replace({"attention.scale": "constant(c=1.0)"})
    assert issubclass(errors.UserError, ValueError)
    assert Row("a", {"heads": 1}).where == {"heads": 1}
