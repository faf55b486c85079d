"""How should an encoder learn the positions of its tokens?

Question.   Positions can be added to the embeddings (sinusoidal, learned), turned into the queries
            and keys (rotary), or added to the logits (Shaw, ALiBi, T5). Which of them help where
            order decides, and is any needed where it does not?
Prediction. Where a negator counts only for what follows it, an encoder without positions stays well
            below all others. On docstrings, which words alone identify, no row differs by more than
            a point from none.
Protocol.   Two layers, width 64, four heads, mean pooling, 1,000 steps at 2e-3, ten seeds. The step
            with the best validation accuracy is the one tested.
Cost.       2 datasets x 7 positions x 10 seeds = 140 cells.
Outcome (2026-11-24). On docstrings the prediction held: every position is equivalent to none. On
            the planted negation nothing was learned: all rows, including those with positions, are
            at chance (50%) after these 1,000 steps, below even TF-IDF with logistic regression at
            57%, which does not know order either. So the table says nothing about positions where
            order decides; that would need longer training or an easier task.
"""

from attn_nlp.cli import run_file
from attn_nlp.experiment import Cell, Experiment, Table, vary

experiment = Experiment(
    base=Cell(layers=2, length=40, steps=1000, learning_rate=2e-3, evaluate_every=250),
    axes=[
        vary("dataset", "planted_negation", "docstrings"),
        vary("position", "none", "sinusoidal", "learned", "rope", "shaw", "alibi", "t5"),
        vary("seed", *range(10)),
    ],
    tables=[Table("Position", "position", columns="dataset", reference="none")],
)

if __name__ == "__main__":
    raise SystemExit(run_file(__file__))
