"""The answer of a report is that of its tables, whatever the file says."""

import pytest

from attn_nlp.report.answer import answers
from attn_nlp.tables import build
from tests.tables.example import ROWS, example


def lines(**changes):
    return [line for each in answers([build(*example(**changes))]) for line in each.lines]


def test_every_column_has_its_verdicts_and_its_baseline():
    assert lines() == [
        "SST-2: against '1/sqrt(D)' at 73.0%, worse: 'unscaled' (−2.4 points); equivalent: '1/D' "
        "(0.0 points); undecided: 'half' (0.0 points); 0 of 4 rows above "
        "'TF-IDF + logistic regression' at 78.1%.",
        "TREC-6: against '1/sqrt(D)' at 73.0%, undecided: 'unscaled' (−2.4 points), '1/D' (+0.3 "
        "points); 0 of 3 rows above 'TF-IDF + logistic regression' at 78.1%.",
    ]


def test_a_table_that_compares_nothing_names_the_highest_mean():
    rows = [{**row, "reference": False} for row in ROWS]
    assert lines(rows=rows, columns=["dataset"])[0].startswith(
        "SST-2: the highest mean is that of '1/sqrt(D)', 73.0%; nothing is compared; 0 of 4 rows"
    )


def test_of_a_loss_lower_is_better():
    (first, _) = lines(value="test.loss")
    assert first == (
        "SST-2: against '1/sqrt(D)' at 0.270 nats, worse: 'unscaled' (+0.024 nats); undecided: "
        "'1/D' (0.000 nats), 'half' (0.000 nats); 0 of 4 rows below 'TF-IDF + logistic regression' "
        "at 0.219 nats."
    )


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_nothing_is_answered_without_a_number(status):
    plain, planned, records = example()
    for record in records.values():
        record |= {"status": status, "test": None}
    assert answers([build(plain, planned, records)]) == ()
