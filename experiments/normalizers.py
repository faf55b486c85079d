"""Does it matter how logits become weights?

Question.   Softmax is one way to turn logits into weights. Others give exact zeros (sparsemax,
            entmax, top-k), let rows have any sum (sigmoid, ReLU, softmax with an extra one), choose
            a single key (hard, Gumbel), or only divide (linear). On a task that needs one key among
            25 tokens, and on real sentences, which of them help?
Prediction. On the lookup, the sparse ones learn as well as softmax and the linear one fails, since
            without competition a single key cannot be singled out. On short real sentences no
            normalizer differs from softmax by more than a point.
Protocol.   One layer, width 64, one head, classified from the first token, which holds the question
            of the lookup; no positions, 600 steps at 2e-3, ten seeds, the scale 1/√D for all. The
            step with the best validation accuracy is the one tested.
Cost.       2 datasets x 12 normalizers x 10 seeds = 240 cells.
Outcome (2026-11-24). The prediction was wrong on both sides. On the lookup the linear one does best
            of all, at 99.8%, and the sigmoid comes next, 5 points above softmax, while every
            normalizer that produces exact zeros loses, from 13 points (entmax of 1.25) to 35
            (sparsemax): perhaps a key that is cut off early gets no gradient by which it could come
            back in 600 steps. On docstrings, classified from the first token, the same ones lose 5
            to 13 points, since there an average over all words is needed; the linear one loses 7,
            softmax with an extra one is equivalent, and the sigmoid is undecided. So neither task
            needs rows that sum to one. All rows share their settings; another learning rate may
            favor others.
"""

from attn_nlp.cli import run_file
from attn_nlp.experiment import Cell, Experiment, Table, vary

NORMALIZERS = [
    "softmax",
    "softmax_one",
    "sigmoid",
    "sparsemax",
    "entmax15",
    "entmax(1.25)",
    "topk(4)",
    "relu_over_n",
    "relu_squared",
    "hard",
    "gumbel",
    "none",
]

experiment = Experiment(
    base=Cell(
        heads=1,
        head_dim=64,
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
        vary("attention.normalizer", *NORMALIZERS),
        vary("seed", *range(10)),
    ],
    tables=[Table("Normalizer", "attention.normalizer", columns="dataset", reference="softmax")],
)

if __name__ == "__main__":
    raise SystemExit(run_file(__file__))
