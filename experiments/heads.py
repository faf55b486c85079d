"""How many heads, and how should they be combined?

Question.   Heads split a fixed width; keys and values may be shared between them (multi-query,
            grouped-query), maps may be mixed across them (talking heads), subtracted in pairs
            (differential), gated, or mixed with the query. Does any of it move the accuracy?
Prediction. On the lookup, which asks one question, more heads of fewer dimensions hurt; sharing
            keys and values does not. On docstrings no row differs by more than a point.
Protocol.   One layer, width 64 in all heads together, classified from the first token, no
            positions, 600 steps at 2e-3, ten seeds. All mixers have four heads. The step with the
            best validation accuracy is the one tested.
Cost.       2 datasets x 10 rows x 10 seeds = 200 cells.
Outcome (2026-11-24). On the lookup the prediction was wrong: four heads solve it and one alone does
            not, which is 6 points below though as wide; eight heads and shared keys and values are
            equivalent to four. On docstrings, classified from the first token, it was half wrong:
            talking heads are 2.5 points better and the output gate 2.2 points worse; the others,
            the query mix among them, are undecided or equivalent.
"""

from attn_nlp.cli import run_file
from attn_nlp.experiment import Cell, Experiment, Row, Table, together, vary


def heads(number: int, mixer: str = "heads") -> dict[str, object]:
    """Return the settings of a number of heads and a way to combine them."""
    return {"heads": number, "attention.mixer": mixer}


ROWS = [
    Row("4 heads", heads(4), cite="Vaswani et al., 2017", reference=True),
    Row("1 head", heads(1)),
    Row("2 heads", heads(2)),
    Row("8 heads", heads(8)),
    Row("Multi-query", heads(4, "multi_query"), cite="Shazeer, 2019"),
    Row("Grouped-query, 2 groups", heads(4, "grouped_query(2)"), cite="Ainslie et al., 2023"),
    Row("Talking heads", heads(4, "talking_heads"), cite="Shazeer et al., 2020"),
    Row("Differential", heads(4, "differential"), cite="Ye et al., 2024"),
    Row("Output gate", heads(4, "output_gate"), cite="Qiu et al., 2025"),
    Row("Query mix", heads(4, "query_mix"), cite="attn_nlp"),
]

experiment = Experiment(
    base=Cell(
        position="none",
        pooling="first",
        dropout=0.0,
        length=32,
        steps=600,
        learning_rate=2e-3,
        evaluate_every=200,
    ),
    axes=[
        vary("dataset", "planted_lookup", "docstrings"),
        together(*(row.where for row in ROWS)),
        vary("seed", *range(10)),
    ],
    tables=[Table("Heads and how they are combined", ROWS, columns="dataset")],
)

if __name__ == "__main__":
    raise SystemExit(run_file(__file__))
