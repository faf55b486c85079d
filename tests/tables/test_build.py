"""Tables against pencil and paper; see `example.py` for the numbers."""

import dataclasses
import itertools
import math
from typing import Any

import pytest

from attn_nlp.errors import UserError
from attn_nlp.experiment.resolved import families_of
from attn_nlp.experiment.table import VALUES
from attn_nlp.runner.provenance import provenance
from attn_nlp.stats import Verdict
from attn_nlp.tables import QUANTITIES, build
from attn_nlp.tables.grid import BASELINE, DIVERGED, FAILED, MEASURED, PENDING, SKIPPED
from attn_nlp.tables.text import count_text

from .example import REFERENCE, ROWS, cell, example, record, resolved, table


def entry(grid, label, column=0) -> Any:
    return next(row for row in grid.rows if row.label == label).entries[column]


def test_mean_and_interval_by_hand():
    """.70 to .76: mean .73; sd .01 * sqrt(28 / 6) = .021602; half-width 2.4469 * sd / sqrt(7)."""
    found = entry(build(*example()), "1/sqrt(D)").summary
    assert found.n == 7
    assert found.mean == pytest.approx(0.73)
    assert found.sd == pytest.approx(0.01 * math.sqrt(28 / 6))
    assert found.half_width == pytest.approx(2.446912 * found.sd / math.sqrt(7), rel=1e-6)


def test_a_worse_row_by_hand():
    """Seven negative differences: p = 2/128; three comparisons: Holm 6/128 = .0469 < .05."""
    found = entry(build(*example()), "unscaled").comparison
    assert found.difference.mean == pytest.approx(-0.17 / 7)
    assert (found.p, found.p_holm) == (2 / 128, 6 / 128)
    assert found.verdict is Verdict.WORSE


def test_an_equivalent_row_by_hand():
    """Two up, two down, three zero: p = 1. Squares 4 * .01^2 over 6: sd .00816.

    The 90% half-width is 1.9432 * .00816 / sqrt(7) = .0060, inside the default margin of .01 for
    1,821 sentences: alone p = .0089, and Holm over three makes it .0266 < .05.
    """
    sd = 0.01 * math.sqrt(4 / 6)
    found = entry(build(*example()), "1/D").comparison
    assert found.margin == 0.01
    assert found.p == 1.0
    assert found.interval_90[1] == pytest.approx(1.943180 * sd / math.sqrt(7), rel=1e-6)
    assert found.p_equivalence == pytest.approx(0.00886, abs=5e-5)
    assert found.p_equivalence_holm == pytest.approx(3 * found.p_equivalence)
    assert found.verdict is Verdict.EQUIVALENT


def test_one_run_for_all_seeds_has_neither_interval_nor_verdict():
    """As of a baseline that stands in a row; it is no part of the family either."""
    plain, planned, records = example()
    cells = [
        each | {"spec": "sst2/none/1/0"} if each["spec"].startswith("sst2/none/") else each
        for each in planned.cells
    ]
    grid = build(plain, resolved(cells, [plain]), records)
    found = entry(grid, "unscaled")
    assert (found.expected, found.summary.n, found.summary.half_width) == (1, 1, None)
    assert found.comparison is None
    other = entry(grid, "1/D").comparison
    assert other.p_equivalence_holm == pytest.approx(2 * other.p_equivalence)


def test_identical_scores_are_said_to_be():
    grid = build(*example())
    found = entry(grid, "half").comparison
    assert (found.p, found.difference.mean, found.difference.sd) == (1.0, 0.0, 0.0)
    assert found.verdict is Verdict.UNDECIDED
    said = [note for note in grid.notes if note.startswith("Scores identical")]
    assert said == [
        "Scores identical to the reference's in every pair: 'half' (SST-2). Without any spread "
        "nothing is called equivalent: either they compute the same function, or neither has "
        "learned to tell the classes apart."
    ]


def test_one_difference_in_every_pair_gives_no_verdict():
    """Seven seeds that make no difference to the difference: p would be .016, and means nothing."""
    plain, planned, records = example()
    for seed, reference in enumerate(REFERENCE):
        records[f"sst2/none/1/{seed}"] |= {"test": {"accuracy": round(reference - 0.02, 2)}}
    grid = build(plain, planned, records)
    assert entry(grid, "unscaled").comparison.verdict is Verdict.UNDECIDED
    assert any(
        note.startswith("The same difference in every pair: 'unscaled' (SST-2).")
        for note in grid.notes
    )


@pytest.mark.parametrize(("rows", "margin"), [(40, None), (40, 0.02), (9, 0.1)])
def test_a_margin_under_one_sentence_is_none(rows, margin):
    """The smallest step of accuracy on 40 sentences is 2.5 points: within 2 lies only 0."""
    plain, planned, records = example(margin=margin)
    for each in records.values():
        each["data"]["splits"]["test"]["rows"] = rows
    grid = build(plain, planned, records)
    assert entry(grid, "1/D").comparison.margin is None
    assert entry(grid, "1/D").comparison.verdict is Verdict.UNDECIDED
    points = 100 * (margin or 0.02)
    assert (
        f"No equivalence is claimed within {points:g} points, less than one of the {rows} test "
        f"sentences (SST-2); {points:g} points, less than one of the {rows} test sentences "
        "(TREC-6)."
    ) in grid.notes


def test_the_least_seeds_of_equivalence_are_said():
    """Three comparisons: 3 / 2^6 = .047, so six seeds."""
    says = next(note for note in build(*example()).notes if note.startswith("Equivalent:"))
    assert "claimed only with 6 seeds or more. Seeds for" in says


def test_missing_seeds_are_counted_and_pairs_are_shared():
    """trec6: unscaled has 5 of 7, and pairs over those five: least p 2/32."""
    grid = build(*example())
    found = entry(grid, "unscaled", 1)
    assert (found.state, found.summary.n, found.expected) == (MEASURED, 5, 7)
    assert found.missing == {DIVERGED: 1, FAILED: 1}
    assert found.comparison.difference.n == 5
    assert found.comparison.p == found.comparison.least_p == 2 / 32
    assert found.footnote == "a"
    text = "5 of 7: 1 diverged (loss is NaN at step 40), 1 failed (out of memory); with "
    assert grid.footnotes[0][1].startswith(text)
    assert grid.footnotes[0][0] == "a"
    assert "16 of 21 cells" not in " ".join(grid.notes)
    assert any(note.startswith("43 of 49 cells have a number") for note in grid.notes)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (lambda seed: False, "not compared: the reference has no cell in this column"),
        (lambda seed: seed == 6, "not compared: it shares no replicate with the reference"),
    ],
)
def test_a_row_that_has_nothing_to_be_paired_with_says_so(left, says):
    """trec6 plans none or the last of the reference's runs, and all but the last of the others."""
    plain, experiment, records = example()

    def is_planned(settings):
        kept = left(settings["seed"])
        return kept == (settings["attention.scale"] == "rsqrt_dim") or settings["dataset"] == "sst2"

    cells = tuple(each for each in experiment.cells if is_planned(each["settings"]))
    grid = build(plain, dataclasses.replace(experiment, families=families_of(cells)), records)
    footnotes = dict(grid.footnotes)
    for label in ("unscaled", "1/D"):
        found = entry(grid, label, 1)
        assert (found.comparison, found.summary is None) == (None, False)
        assert says in footnotes[found.footnote]
    assert says not in footnotes.get(entry(grid, "1/D").footnote, "")


def test_the_count_of_runs_names_what_became_of_the_others():
    """trec6: unscaled lost two of seven; 1/D has three and waits for four, then loses one too."""
    plain, experiment, records = example()
    grid = build(plain, experiment, records)
    assert count_text(entry(grid, "unscaled", 1)) == "5 of 7 (1 diverged, 1 failed)"
    assert count_text(entry(grid, "1/D", 1)) == "(3 of 7)"
    assert count_text(entry(grid, "1/D", 0)) == ""
    records["trec6/inv_dim/1/0"] |= {"status": "failed", "reason": "out of memory"}
    grid = build(plain, experiment, records)
    assert count_text(entry(grid, "1/D", 1)) == "2 of 7 (1 failed, 4 not run yet)"


@pytest.mark.parametrize(
    ("status", "said"),
    [("failed", True), ("diverged", True), ("skipped", False), (None, False)],
)
def test_what_lost_runs_do_to_the_statistics_is_said(status, said):
    plain, experiment, records = example()
    for spec in ("trec6/none/1/3", "trec6/none/1/4"):
        if status is None:
            del records[spec]
        else:
            records[spec] |= {"status": status, "test": None}
    (note,) = [each for each in build(plain, experiment, records).notes if "have a number" in each]
    assert ("fewer pairs, hence less power" in note) == (status is not None)
    assert ("A mean over the survivors flatters a row" in note) == said


def test_a_diverged_run_counted_as_the_weakest_baseline_by_hand():
    """trec6, unscaled: .68 .68 .70 .72 .74, and .501 for seed 3: 4.021 / 6 = .67017. Differences:
    -.12 over five, and .501 - .73 = -.229: -.349 / 6 = -.05817. Six of one sign: p = 2/64.
    """
    grid = build(*example())
    counted = entry(grid, "unscaled", 1).counted
    assert (counted.summary.n, counted.comparison.difference.n) == (6, 6)
    assert counted.summary.mean == pytest.approx(4.021 / 6)
    assert counted.comparison.difference.mean == pytest.approx(-0.349 / 6)
    assert (counted.comparison.p, counted.comparison.p_holm) == (2 / 64, 4 / 64)
    says = "1 diverged run counted as the weakest baseline: mean 67.0, difference −5.8, undecided"
    assert grid.footnotes[0][1].endswith(says)
    assert any("also count a diverged run as the weakest baseline" in note for note in grid.notes)
    assert all(entry(grid, label).counted is None for label in ("unscaled", "1/D", "half"))


def test_a_diverged_run_never_counts_for_more_than_the_rows_worst():
    """The baseline, .501, is above what the row's other runs score."""
    plain, experiment, records = example()
    for seed in range(7):
        records[f"sst2/inv_dim/1/{seed}"] |= {"test": {"accuracy": 0.3 + seed / 100}}
    records["sst2/inv_dim/1/6"] |= {"status": "diverged"}
    counted = entry(build(plain, experiment, records), "1/D").counted
    assert counted.summary.mean == pytest.approx((0.30 + sum(0.3 + k / 100 for k in range(6))) / 7)


def test_a_diverged_reference_is_counted_for_the_rows_that_it_is_compared_with():
    plain, experiment, records = example()
    records["sst2/rsqrt_dim/1/6"] |= {"status": "diverged", "reason": "loss is NaN"}
    found = entry(build(plain, experiment, records), "half")
    assert (found.comparison.difference.n, found.counted.comparison.difference.n) == (6, 7)
    assert found.counted.comparison.difference.mean == pytest.approx((0.76 - 0.501) / 7)
    assert "the reference's diverged runs counted as the weakest baseline: difference +3.7" in (
        found.reason
    )


def test_a_baseline_that_failed_counts_for_no_diverged_run():
    plain, experiment, records = example()
    records["majority/trec6"] |= {"status": "failed"}
    counted = entry(build(plain, experiment, records), "unscaled", 1).counted
    assert counted.summary.mean == pytest.approx((0.68 + 0.68 + 0.70 + 0.72 + 0.74 + 0.68) / 6)


def test_without_baselines_nothing_replaces_a_diverged_run():
    plain, experiment, records = example()
    bare = {spec: each for spec, each in records.items() if "majority" not in spec}
    bare = {spec: each for spec, each in bare.items() if "tfidf" not in spec}
    grid = build(plain, experiment, bare)
    assert entry(grid, "unscaled", 1).counted is None
    assert any("Once the baselines have run" in note for note in grid.notes)


def test_the_caption_states_power():
    """sst2: spreads .00535 and .00816, root mean square .00690; trec6: .00548 and .01155, .00904.
    Seven pairs and three comparisons: significance needs all seven of one sign, which has
    probability .8 for an effect of 1.86 (Phi(1.86)^7 = .80), to the .02 of the drawn samples; 1.86
    * .00690 is 1.28 points. In a family of two the same pattern is needed: 2 * 4 / 128 is above
    .05.
    """
    (note,) = [each for each in build(*example()).notes if each.startswith("Power")]
    assert note.startswith(
        "Power: with probability .8, 7 seeds detect 1.28 points in a family of 3 if paired "
        "differences have a standard deviation of 0.69 (SST-2); 7 seeds detect 1.67 points in a "
        "family of 2 if paired differences have a standard deviation of 0.90 (TREC-6). The standard"
    )


def test_power_of_many_columns_is_a_range():
    cells, records = [], {}
    for seed, scale, heads in itertools.product(range(7), ("none", "rsqrt_dim"), range(1, 9)):
        planned = cell(**{"seed": seed, "attention.scale": scale, "heads": heads})
        cells.append(planned)
        records[planned["spec"]] = record(0.5 + (scale == "none") * heads * seed / 1000)
    plain = table(columns=["heads"], rows=ROWS[:2])
    (note,) = [n for n in build(plain, resolved(cells, [plain]), records).notes if "Power" in n]
    # Differences 0, 1, ..., 6 thousandths times heads: sqrt(28 / 6) = 2.16 tenths of a point each.
    assert "(heads 1, paired standard deviation 0.22) to" in note
    assert "(heads 8, 1.73) are detected" in note


def test_power_is_not_stated_where_nothing_can_be_found():
    plain, experiment, records = example()
    few = {spec: each for spec, each in records.items() if not spec.startswith("sst2/")}
    notes = [each for each in build(plain, experiment, few).notes if each.startswith("Power")]
    assert "SST-2" not in notes[0]
    assert not any(each.startswith("Power") for each in build(plain, experiment, {}).notes)


def test_cells_not_run_yet_need_no_footnote():
    found = entry(build(*example()), "1/D", 1)
    assert (found.summary.n, found.missing, found.footnote) == (3, {PENDING: 4}, "")


def test_a_skipped_place_prints_its_reason():
    grid = build(*example())
    found = entry(grid, "half", 1)
    assert (found.state, found.reason, found.comparison) == (SKIPPED, "half is too few", None)
    assert (found.footnote, "half is too few") in grid.footnotes


@pytest.mark.parametrize("status", ["failed", "diverged", "skipped"])
def test_a_row_without_any_number_says_why(status):
    plain, experiment, records = example()
    for seed in range(7):
        records[f"sst2/inv_dim/1/{seed}"] |= {"status": status, "reason": "because"}
    grid = build(plain, experiment, records)
    found = entry(grid, "1/D")
    assert (found.state, found.summary, found.comparison) == (status, None, None)
    assert found.reason.split("; with")[0] == f"0 of 7: 7 {status} (because)"
    # It still counts in the family: three comparisons, Holm 6/128.
    assert entry(grid, "unscaled").comparison.p_holm == 6 / 128


def test_a_score_that_is_not_a_number_is_missing():
    plain, experiment, records = example()
    records["sst2/none/1/0"] = record(math.nan)
    found = entry(build(plain, experiment, records), "unscaled")
    assert (found.summary.n, found.reason) == (6, "6 of 7: 1 without the value")


def test_nothing_has_run():
    plain, experiment, _ = example()
    grid = build(plain, experiment, {})
    states = {each.state for row in grid.rows for each in row.entries}
    assert states == {PENDING, SKIPPED}
    # What a column is called must not hang on what has run.
    assert [column.labels for column in grid.columns] == [("SST-2",), ("TREC-6",)]


def test_a_missing_reference_seed_gives_no_pair():
    plain, experiment, records = example()
    del records["sst2/rsqrt_dim/1/6"]
    found = entry(build(plain, experiment, records), "unscaled")
    assert (found.summary.n, found.comparison.difference.n) == (7, 6)
    assert found.reason == "its difference is over the 6 shared with the reference"


def test_the_order_of_records_changes_nothing():
    """A resumed run stores the same rows in another order."""
    plain, experiment, records = example()
    turned = dict(reversed(records.items()))
    assert build(plain, experiment, records) == build(plain, experiment, turned)


def test_measured_costs_change_nothing():
    plain, experiment, records = example()
    slower = {spec: each | {"wall_seconds": 9.9, "peak_bytes": 1} for spec, each in records.items()}
    assert build(plain, experiment, records) == build(plain, experiment, slower)


def test_baselines_have_no_interval_and_no_test():
    grid = build(*example())
    baselines = [row for row in grid.rows if row.kind == BASELINE]
    assert [row.label for row in baselines] == ["majority class", "TF-IDF + logistic regression"]
    for each in itertools.chain.from_iterable(row.entries for row in baselines):
        assert each.summary.n == each.expected == 1
        assert each.summary.half_width is None
        assert each.comparison is None
    assert baselines[1].entries[0].summary.mean == 0.781


def test_baselines_appear_only_if_the_data_is_the_same():
    plain, experiment, records = example(columns=[], over=["seed", "dataset"])
    plain["rows"] = [row for row in plain["rows"] if row["label"] != "half"]
    grid = build(plain, experiment, records)
    assert all(row.kind != BASELINE for row in grid.rows)
    assert "No baseline is shown for columns that mix different data." in grid.notes


def test_margins():
    assert entry(build(*example()), "unscaled", 1).comparison.margin == 0.02  # 500 sentences
    declared = build(*example(margin=0.003))
    assert entry(declared, "unscaled").comparison.margin == 0.003
    assert "±0.3 points, declared with the table" in " ".join(declared.notes)
    loss = build(*example(value="test.loss"))
    assert entry(loss, "unscaled").comparison.margin is None
    assert "No margin of equivalence is declared for test loss, so none is claimed." in loss.notes


def test_a_higher_loss_is_worse():
    """loss = 1 - accuracy here: the differences are positive, the verdict is the same."""
    found = entry(build(*example(value="test.loss")), "unscaled").comparison
    assert found.difference.mean == pytest.approx(0.17 / 7)
    assert found.verdict is Verdict.WORSE


def test_five_seeds_are_told_that_no_star_can_be_earned():
    plain = table(columns=[], rows=ROWS[:2])
    cells = [
        cell(**{"seed": s, "attention.scale": a}) for s in range(5) for a in ("none", "rsqrt_dim")
    ]
    records = {
        each["spec"]: record(REFERENCE[i // 2] - (i % 2 == 0) * 0.1) for i, each in enumerate(cells)
    }
    grid = build(plain, resolved(cells, [plain]), records)
    text = " ".join(grid.notes)
    assert "smallest p that 5 seeds can give is .0625" in text
    assert "no difference can reach significance; that takes at least 6 seeds" in text
    assert entry(grid, "unscaled").comparison.verdict is Verdict.UNDECIDED


def test_mixed_environments_are_reported():
    plain, experiment, records = example()
    assert not any("Mixed" in note for note in build(plain, experiment, records).notes)
    records["sst2/none/1/0"]["provenance"] = records["sst2/none/1/0"]["provenance"] | {
        "jax": "0.10.3"
    }
    (note,) = [n for n in build(plain, experiment, records).notes if n.startswith("Mixed")]
    assert note.startswith("Mixed environments: 42 cells with jax 0.10.2; 1 cell with jax 0.10.3.")


def test_mixed_environments_are_reported_as_runs_describe_themselves():
    plain, experiment, records = example()
    for each in records.values():
        each["provenance"] = provenance()
    assert not any("Mixed" in note for note in build(plain, experiment, records).notes)
    records["sst2/none/1/0"]["provenance"] = provenance() | {"numpy": "0"}
    (note,) = [n for n in build(plain, experiment, records).notes if n.startswith("Mixed")]
    assert "1 cell with numpy 0." in note


def test_the_split_error_is_in_the_caption():
    """sqrt(.73 * .27 / 1821) = .0104."""
    text = " ".join(build(*example()).notes)
    assert (
        "the 1,821 test sentences alone give every accuracy near the reference's a standard error "
        "of 1.0 points (95%: ±2.0), which ± does not include"
    ) in text


def test_the_caption_tells_a_carve_from_an_axis():
    assert any("held fixed" in note for note in build(*example()).notes)
    over = build(*example(over=["seed", "split_seed"]))
    assert any("drawn again for every split_seed" in note for note in over.notes)


def test_validation_numbers_are_called_optimistic():
    assert any("optimistic" in note for note in build(*example(value="validation.accuracy")).notes)


def test_a_value_that_is_not_stored_is_a_mistake():
    with pytest.raises(UserError, match=r"Did you mean 'test.accuracy'\?"):
        build(*example(value="test.acuracy"))


def test_facts_may_be_missing():
    plain, experiment, records = example()
    bare = {spec: each | {"data": {}, "provenance": None} for spec, each in records.items()}
    grid = build(plain, experiment, bare)
    assert entry(grid, "unscaled").comparison.margin is None
    bare = {spec: each | {"data": {"label": "SST"}} for spec, each in records.items()}
    assert build(plain, experiment, bare).columns[0].labels == ("sst2",)  # a shared label


def test_every_value_that_an_experiment_may_name_has_a_way_to_be_printed():
    assert set(VALUES) == set(QUANTITIES)
    lower = {name for name in QUANTITIES if not QUANTITIES[name].higher_is_better}
    assert lower == {
        f"{split}.{metric}" for split in ("test", "validation") for metric in ("loss", "ece")
    }


@pytest.mark.parametrize("metric", ["matthews", "ece", "f1"])
def test_other_metrics_are_tabled_like_accuracy(metric):
    plain, experiment, records = example(value=f"test.{metric}")
    plan = {
        spec: each | {"test": {**each["test"], metric: each["test"]["accuracy"]}}
        for spec, each in records.items()
    }
    found = entry(build(plain, experiment, plan), "unscaled")
    worse, better = Verdict.WORSE, Verdict.BETTER
    assert found.comparison.verdict is (better if metric == "ece" else worse)
    assert found.comparison.margin == (0.01 if metric == "f1" else None)


def test_runs_that_repeat_one_another_are_named():
    plain, planned, records = example()
    for seed in range(7):
        records[f"sst2/none/1/{seed}"] |= {"correct": bytes([1, seed % 2])}
        records[f"sst2/inv_dim/1/{seed}"] |= {"correct": bytes([1, seed])}
    (note,) = [each for each in build(plain, planned, records).notes if "not replicates" in each]
    assert note.startswith("Distinct prediction patterns: 'unscaled' (SST-2) 2 of 7 runs.")


def test_replicates_of_one_seed_are_said_to_be():
    plain, planned, records = example(over=["width", "batch_size"], columns=["dataset", "seed"])
    for each in [*planned.cells]:  # twice as wide, with the same numbers
        wide = {"spec": f"{each['spec']}/wide", "settings": {**each["settings"], "width": 128}}
        records |= {wide["spec"]: records[each["spec"]]} if each["spec"] in records else {}
        planned = dataclasses.replace(planned, families=families_of([*planned.cells, wide]))
    assert build(plain, planned, records).notes[1] == (
        "Each number comes from one seed; other initial weights, batches and dropout may give a "
        "different table."
    )
