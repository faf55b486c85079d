"""Experiments: cells, skips and tables that account for every axis, as plain data."""

from __future__ import annotations

import json

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment import (
    Cell,
    Experiment,
    Resolved,
    Row,
    Table,
    programs,
    skip,
    together,
    vary,
)
from attn_nlp.experiment.axes import product
from attn_nlp.experiment.cell import flatten
from attn_nlp.experiment.identity import spec_of
from attn_nlp.experiment.resolved import families_of

SCORES = [
    Row("Dot", {"attention.score": "dot"}, reference=True),
    Row("Add", {"attention.score": "additive"}),
]
AXES = [vary("attention.score", "dot", "additive"), vary("heads", 1, 2), vary("seed", 0, 1)]


def resolved(axes=AXES, tables=None, **more) -> Resolved:
    tables = [Table("T", SCORES, columns="heads")] if tables is None else tables
    partial = more.pop("partial", False)
    experiment = Experiment(base=Cell(), axes=axes, tables=tables, **more)
    return experiment.resolve("name", "Why?", partial=partial)


def test_plain_data():
    found = resolved()
    assert len(found.cells) == 8
    assert len({cell["spec"] for cell in found.cells}) == 8
    assert [cell["settings"]["seed"] for cell in found.cells] == [0] * 4 + [1] * 4
    (table,) = found.tables
    assert table["columns"] == ["heads"]
    assert table["over"] == ["seed"]
    assert table["rows"][0] == {
        "label": "Dot",
        "where": {"attention.score": "dot"},
        "cite": "",
        "reference": True,
    }
    assert found.baselines
    assert all(baseline["settings"]["dataset"] == "docstrings" for baseline in found.baselines)


def test_json_and_back():
    found = resolved(
        skips=[skip("dull", when={"heads": 2, "seed": (0, 1)})],
        tables=[Table("T", SCORES, where={"heads": 1})],
    )
    assert len(found.skipped) == 4
    again = Resolved.from_json(json.loads(json.dumps(found.as_json(), allow_nan=False)))
    assert again == found
    assert again.as_json() == found.as_json()
    assert found.seeds == (0, 1), "which all have, though a skip asks for the seed"


def test_settings_that_seeds_share_are_written_once():
    found = resolved(skips=[skip("dull", when={"heads": 2, "attention.score": "additive"})])
    plain = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert (found.seeds, plain["cells"]["seeds"]) == ((0, 1), [0, 1])
    assert len(plain["cells"]["settings"]) == 3
    again = Resolved.from_json(plain)
    assert again == found
    assert again.cells[4]["settings"]["seed"] == 1
    for family in found.families:
        one, other = family.cells
        assert one["settings"] | {"seed": 1} == other["settings"]
    listed = plain | {"cells": list(found.cells)}  # as earlier versions wrote it
    assert Resolved.from_json(listed) == found


@pytest.mark.parametrize(
    ("seeds", "skips"),
    [
        (vary("seed", 3, 0, 1), [skip("a", when={"heads": 2, "attention.score": "additive"})]),
        (
            vary("seed", 3, 0, 1),
            [skip("a", when={"seed": 0, "heads": 2}), skip("b", when={"seed": 1})],
        ),
        (together({"seed": 3, "steps": 20}, {"seed": 0, "steps": 10}), []),
        (vary("steps", 10), []),
    ],
)
def test_cells_that_differ_in_their_seed_are_as_if_made_one_by_one(seeds, skips):
    axes = [*(axis for axis in AXES if axis.paths != ("seed",)), seeds]
    found = resolved(axes=axes, skips=skips)
    made = [Cell().replace(settings) for settings in product(Cell(), tuple(axes))]
    kept = [cell for cell in made if not any(each.covers(flatten(cell)) for each in skips)]
    assert [each["settings"] for each in found.cells] == list(map(flatten, kept))
    assert [each["spec"] for each in found.cells] == list(map(spec_of, kept))
    assert [each["settings"] for each in found.skipped] == [
        flatten(cell) for cell in made if cell not in kept
    ]
    assert [each["reason"] for each in found.skipped] == [
        next(each.reason for each in skips if each.covers(flatten(cell)))
        for cell in made
        if cell not in kept
    ]


def test_a_table_may_speak_of_seeds():
    by_seed = resolved(tables=[Table("T", SCORES, columns=("heads", "seed"), over=())]).tables
    assert by_seed[0]["columns"] == ["heads", "seed"]
    each = resolved(tables=[Table("T", SCORES, columns="heads", each="seed", over=())]).tables
    assert [table["where"]["seed"] for table in each] == [0, 1]
    with pytest.raises(UserError, match=r"no cell has .*'seed': 99"):
        resolved(tables=[Table("T", [Row("A", {"attention.score": "dot", "seed": 99})], "heads")])


def test_a_skipped_combination_is_kept_with_its_reason_and_may_be_no_cell_at_all():
    found = resolved(
        axes=[vary("width", 64, 63), vary("seed", 0)],
        tables=[Table("T", "width")],
        skips=[skip("63 does not split", when={"width": 63})],
    )
    assert [each["reason"] for each in found.skipped] == ["63 does not split"]
    assert [cell["settings"]["width"] for cell in found.cells] == [64]
    with pytest.raises(UserError, match="width 63 does not split into 4 heads"):
        resolved(axes=[vary("width", 64, 63)], tables=[Table("T", "width")])


def test_a_path_for_rows_gives_a_row_for_every_value():
    (table,) = resolved(tables=[Table("T", "attention.score", columns="heads")]).tables
    assert [row["label"] for row in table["rows"]] == ["Dot product", "Additive"]
    assert [row["cite"] for row in table["rows"]] == ["Luong et al., 2015", "Bahdanau et al., 2015"]
    assert not any(row["reference"] for row in table["rows"])
    (table,) = resolved(tables=[Table("T", "heads", columns="attention.score")]).tables
    assert [row["label"] for row in table["rows"]] == ["1", "2"]


def test_rows_of_a_path_say_how_their_parts_are_set():
    axes = [vary("attention.normalizer", "topk(4)", "softmax"), vary("attention.mask", "causal")]
    table = Table("T", "attention.normalizer", over=("attention.mask",))
    (plain,) = resolved(axes=axes, tables=[table]).tables
    assert [row["label"] for row in plain["rows"]] == ["Top-k softmax(keep=4)", "Softmax"]


def test_one_value_of_a_path_is_what_the_others_are_compared_with():
    (table,) = resolved(tables=[Table("T", "heads", columns="attention.score", reference=2)]).tables
    assert [row["reference"] for row in table["rows"]] == [False, True]
    with pytest.raises(UserError, match=r"unknown reference of table 'T': '3'; known: 1, 2"):
        resolved(tables=[Table("T", "heads", columns="attention.score", reference=3)])
    with pytest.raises(UserError, match="reference= goes with rows= of one path"):
        resolved(tables=[Table("T", SCORES, columns="heads", reference=2)])


def test_one_table_each():
    found = resolved(tables=[Table("T", SCORES, each="heads")])
    assert [table["title"] for table in found.tables] == ["T, heads 1", "T, heads 2"]
    assert [table["where"] for table in found.tables] == [{"heads": 1}, {"heads": 2}]


def test_an_axis_in_step_is_accounted_for_by_any_of_its_paths():
    axes = [together({"heads": 1, "width": 8}, {"heads": 2, "width": 16}), vary("seed", 0)]
    assert resolved(axes=axes, tables=[Table("T", "width")]).cells


def table(**settings) -> Table:
    return Table(**{"title": "T", "rows": SCORES, "columns": "heads"} | settings)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"columns": ()},
            r"table 'T': axis 'heads' is neither a row nor a column. Write columns='heads' for a "
            r"column of every value, each='heads' for a table of every value, where={'heads': ...} "
            r"for one value, or over=\['seed', 'heads'\] to average over all",
        ),
        ({"over": ()}, "table 'T': axis 'seed' is neither a row"),
        ({"columns": "head"}, r"unknown path in table 'T': 'head'; .*'heads'\?"),
        ({"over": ("sed",)}, r"unknown path in table 'T': 'sed'; .*'seed'\?"),
        ({"each": "nrom"}, r"unknown path in table 'T': 'nrom'; .*'norm'\?"),
        ({"where": {"nrom": "pre"}}, r"unknown path in table 'T': where= 'nrom'"),
        ({"rows": "attention.scor"}, r"unknown path in table 'T': rows= 'attention.scor'"),
        (
            {"rows": [Row("A", {"scor": "dot"})]},
            r"unknown path in table 'T', row 'A': 'scor'; .*",
        ),
        (
            {"rows": [SCORES[0], SCORES[0]]},
            "table 'T' has two rows 'Dot'; give them different labels",
        ),
        (
            {"rows": [Row("A", {}, reference=True), Row("B", {}, reference=True)]},
            "table 'T' has more than one reference row; keep one",
        ),
        ({"rows": []}, "table 'T' has no rows; give at least one"),
        ({"family": "row"}, "table 'T': family is 'row'; allowed: column, table"),
        (
            {"rows": [Row("A", {"attention.score": "bilinear"})]},
            "table 'T', row 'A': no cell has {'attention.score': 'bilinear'}; name values that "
            "are on the axes",
        ),
        (
            {"rows": [Row("A", {"norm": "pre"})]},
            "table 'T': axis 'attention.score' is neither a row",
        ),
        (
            {"rows": [*SCORES, Row("Both", {})]},
            "axis 'attention.score' is neither a row",
        ),
    ],
)
def test_tables_that_do_not_hold_together_are_rejected(changed, message):
    with pytest.raises(UserError, match=message):
        resolved(tables=[table(**changed)])


def test_an_experiment_without_tables_is_rejected():
    with pytest.raises(UserError, match="experiment 'name' has no table; give at least one"):
        resolved(tables=[])


def test_a_row_with_two_cells_in_one_place_is_rejected():
    axes = [together({"heads": 1, "width": 8}, {"heads": 1, "width": 16}), vary("seed", 0)]
    with pytest.raises(
        UserError,
        match="row '1': several cells fall into one table entry; they differ in width; name",
    ):
        resolved(axes=axes, tables=[Table("T", "heads")])


def test_nothing_left_is_rejected():
    everything = [skip("all", when={"heads": (1, 2)})]
    with pytest.raises(UserError, match="experiment 'name' has no cell left after its skips"):
        resolved(skips=everything)
    gone = [table(where={"norm": "post"})]
    with pytest.raises(UserError, match="with these options no table of 'name' has any row left"):
        resolved(tables=gone, partial=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"value": "test.acuracy"}, "Did you mean 'test.accuracy'"),
        ({"value": "train.accuracy"}, "table 'T': value is 'train.accuracy'; allowed: test.acc"),
        ({"margin": 0.0}, "table 'T': margin is 0.0; give a number above 0"),
    ],
)
def test_a_table_of_an_unknown_number_is_rejected_where_it_is_written(changed, message):
    with pytest.raises(UserError, match=message):
        table(**changed)


def test_cells_listed_one_by_one_are_read_as_families():
    """Files of both forms give one experiment; cells with different seeds stay alone."""
    found = resolved()
    assert [family.seeds for family in found.families] == [(0, 1)] * 4
    assert families_of(found.cells) == found.families
    assert [family.seeds for family in families_of(found.cells[1:])] == [
        (cell["settings"]["seed"],) for cell in found.cells[1:]
    ]
    assert families_of([]) == ()


def test_shapes_are_parsed_once_for_the_whole_experiment(monkeypatch):
    made = []
    parse = programs.unflatten
    monkeypatch.setattr(programs, "unflatten", lambda flat: made.append(flat) or parse(flat))
    found = resolved()
    assert len(made) == 4  # two scores and two numbers of heads; the seeds share them
    names = {found.programs.of(cell["settings"])[0] for cell in found.cells}
    assert (len(names), len(made)) == (4, 4)
