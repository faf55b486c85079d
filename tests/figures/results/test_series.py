"""Learning curves and sweeps: every point and band is worked out from the records."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attn_nlp.errors import UserError
from attn_nlp.figures.results import (
    Missing,
    axes_of,
    check_axis,
    curves,
    draw,
    figures_of,
    forest,
    sweep,
)
from attn_nlp.figures.results.series import swept
from attn_nlp.stats import summarize
from attn_nlp.tables import build
from tests.tables.example import by_heads, cell, example, record, resolved, table
from tests.tables.hostile import HOSTILE

from .measuring import faults, line, panels, words


def with_history(steps=(100, 200, 300)):
    """The example; in a run of accuracy a the validation accuracy at step s is a s / 300."""
    plain, experiment, records = example()
    for each in records.values():
        accuracy = each["validation"]["accuracy"]
        each["history"] = [
            {"step": s, "validation_accuracy": accuracy * s / 300, "validation_loss": 300 / s}
            for s in steps
        ]
    return plain, experiment, records


def scores(records, place: str) -> list[float]:
    """The accuracies of the finished seeds of a place."""
    found = [records.get(f"{place}/1/{seed}") for seed in range(7)]
    return [each["test"]["accuracy"] for each in found if each and each["status"] == "done"]


def test_curves_are_means_with_t_bands():
    plain, experiment, records = with_history()
    figure = draw(curves(plain, experiment, records))
    for axes, dataset in zip(panels(figure), ("sst2", "trec6"), strict=True):
        for label, scale in (("unscaled", "none"), ("1/sqrt(D)", "rsqrt_dim"), ("1/D", "inv_dim")):
            values = np.array(scores(records, f"{dataset}/{scale}"))
            drawn = line(axes, label)
            assert drawn[:, 0].tolist() == [100, 200, 300]
            assert drawn[:, 1] == pytest.approx(100 * values.mean() * np.array([1, 2, 3]) / 3)
    bands = [each.get_paths()[0].get_extents() for each in panels(figure)[0].collections]
    wanted = summarize([100 * value for value in scores(records, "sst2/none")])
    lows = [summarize([v / 3 for v in [100 * s for s in scores(records, "sst2/none")]]).low]
    assert (bands[0].y0, bands[0].y1) == pytest.approx((lows[0], wanted.high))
    assert (bands[0].x0, bands[0].x1) == (100, 300)
    assert faults(figure) == []


def test_a_curve_stands_only_where_all_its_runs_have_a_score():
    plain, experiment, records = with_history()
    records["sst2/none/1/0"]["history"].pop()
    chart = curves(plain, experiment, records)
    (points,) = [each.points for each in chart.panels[0].lines if each.label == "unscaled"]
    assert [point.x for point in points] == [100, 200]
    assert "6 to 7" not in chart.notes[0]


def test_a_table_of_losses_has_curves_of_losses():
    plain, experiment, records = with_history()
    chart = curves(plain | {"value": "test.loss"}, experiment, records)
    assert chart.panels[0].lines[0].points[0].y == pytest.approx(3.0)
    assert "nats" in chart.subtitle


def test_without_histories_there_are_no_curves():
    with pytest.raises(Missing, match="kept its validation scores"):
        curves(*example())


def test_one_step_makes_no_curve():
    with pytest.raises(Missing, match="one step only"):
        curves(*with_history(steps=(300,)))


def test_a_sweep_by_hand():
    """Accuracy is .60 + heads / 100, .01 more with seed 1, .10 less unscaled."""
    plain, experiment, records = by_heads()
    figure = draw(sweep(plain, "heads", experiment, records))
    for axes in panels(figure):
        assert axes.get_xscale() == "log"
        assert [each.get_text() for each in axes.get_xticklabels()] == ["1", "4", "16"]
        assert line(axes, "1/sqrt(D)") == pytest.approx(
            np.array([[1, 61.5], [4, 64.5], [16, 76.5]])
        )
        assert line(axes, "unscaled") == pytest.approx(np.array([[1, 51.5], [4, 54.5], [16, 66.5]]))
    half = summarize([0.0, 1.0]).half_width
    ends = panels(figure)[0].collections[0].get_segments()[0][:, 1]
    assert sorted(ends) == pytest.approx([51.5 - half, 51.5 + half])
    assert faults(figure) == []


def test_a_sweep_is_the_same_wherever_the_setting_stands():
    """As a column, as one table each, or as a condition of the rows."""
    plain, experiment, records = by_heads()
    wanted = sweep(plain, "heads", experiment, records)
    fixed = plain | {
        "columns": ["dataset"],
        "where": {"heads": 4},
        "title": "By heads, heads 4",
    }
    assert sweep(fixed, "heads", experiment, records) == wanted
    rows = [
        {**row, "label": f"{row['label']}, {heads}", "where": row["where"] | {"heads": heads}}
        for row in plain["rows"]
        for heads in (1, 4, 16)
    ]
    in_rows = sweep(plain | {"columns": ["dataset"], "rows": rows}, "heads", experiment, records)
    assert [panel.lines[0].points for panel in in_rows.panels] == [
        panel.lines[0].points for panel in wanted.panels
    ]
    assert in_rows.labels == ("attention.scale none", "attention.scale rsqrt_dim")


def test_rows_that_are_the_setting_become_one_line_without_a_name():
    plain, experiment, records = by_heads()
    rows = [
        {"label": str(heads), "where": {"heads": heads}, "cite": "", "reference": heads == 1}
        for heads in (1, 4, 16)
    ]
    where = {"attention.scale": "none", "dataset": "sst2"}
    chart = sweep(
        plain | {"columns": [], "rows": rows, "where": where}, "heads", experiment, records
    )
    assert chart.labels == ("",)
    assert [point.y for point in chart.panels[0].lines[0].points] == pytest.approx(
        [51.5, 54.5, 66.5]
    )
    assert faults(draw(chart)) == []


def test_a_linear_axis_for_values_that_lie_close_or_hold_zero():
    cells, records = [], {}
    for seed in range(3):
        for rate in (0.0, 0.1, 0.3):
            planned = cell(seed=seed, **{"attention.scale": "none"})
            planned = {
                "spec": f"{rate}/{seed}",
                "settings": planned["settings"] | {"dropout": rate},
            }
            cells.append(planned)
            records[planned["spec"]] = record(0.5 + rate / 10)
    plain = table(rows=[{"label": "x", "where": {}, "cite": "", "reference": False}])
    experiment = resolved(cells, [plain])
    assert axes_of(experiment, plain) == ("dropout",)
    (axes,) = panels(draw(sweep(plain, "dropout", experiment, records)))
    assert axes.get_xscale() == "linear"
    assert line(axes, "x")[:, 1] == pytest.approx([50, 51, 53])


def test_baselines_are_levels():
    plain, experiment, records = example()
    chart = sweep(plain, "seed", experiment, records)
    assert {round(y, 1) for panel in chart.panels for _, y in panel.references} == {50.1, 78.1}


def test_an_axis_must_vary_and_be_a_number():
    plain, experiment, _ = by_heads()
    assert axes_of(experiment, plain) == ("heads",)
    with pytest.raises(UserError, match=r"no numeric axis 'haeds'.*it has heads.*mean 'heads'\?"):
        check_axis(experiment, "haeds")
    with pytest.raises(UserError, match="no numeric axis 'dataset'"):
        check_axis(experiment, "dataset")
    check_axis(experiment, "heads")


def test_one_value_makes_no_sweep():
    plain, experiment, records = by_heads()
    one = {spec: each for spec, each in records.items() if "/4/" in spec}
    with pytest.raises(Missing, match="no row has finished runs at two values of heads"):
        sweep(plain, "heads", experiment, one)


def test_what_moves_together_with_a_column_makes_no_sweep():
    """Layers follow heads: in the column of one head count there is one depth."""
    plain, experiment, records = by_heads()
    for each in experiment.cells:
        each["settings"]["layers"] = each["settings"]["heads"]
    assert set(axes_of(experiment, plain)) == {"heads", "layers"}
    with pytest.raises(Missing, match="two values of layers"):
        sweep(plain, "layers", experiment, records)


def test_what_trials_chose_is_no_axis():
    plain, experiment, _ = by_heads()
    tuned = plain | {"tuning": {"space": {"heads": {}}}}
    assert axes_of(experiment, tuned) == ()


@pytest.mark.parametrize("label", [HOSTILE, "", "x" * 300, "$" * 3 + "\\frac{_^"])
def test_any_label_is_drawn_well(label):
    plain, experiment, records = with_history()
    rows = [plain["rows"][0] | {"label": label}, *plain["rows"][1:]]
    changed = plain | {"title": label, "rows": rows}
    assert faults(draw(curves(changed, experiment, records))) == []
    assert faults(forest(build(changed, experiment, records))) == []


def test_what_each_makes_is_one_sweep():
    tables = [
        table(title=f"T, heads {heads}", where={"heads": heads}, columns=["dataset"])
        for heads in (1, 4)
    ]
    assert swept(tables[0], "heads") == swept(tables[1], "heads")


def test_the_note_counts_the_runs():
    plain, experiment, records = with_history()
    assert "3 to 7 runs" in words(draw(curves(plain, experiment, records)))


def test_tables_of_the_same_cells_have_their_curves_once_and_a_forest_each():
    plain, experiment, records = with_history()
    other = {**plain, "title": "The same by loss", "value": "test.loss"}
    both = dataclasses.replace(experiment, tables=(plain, other))

    made = [each.kind for each in figures_of(both, records, ["curves", "forest"])]

    assert sorted(made) == ["curves", "forest", "forest"]
