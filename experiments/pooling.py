"""Does it matter how a sentence is pooled into one vector, and is attention needed?

Question.   A sentence can be pooled by its mean, its maximum, its first token, SE attention, or
            several learned hops. Models without self-attention classify it too: a bag of
            embeddings, a convolution, a recurrent network. Which of them help on short sentences?
Prediction. The first token is worst, since everything must pass through one position. On docstrings
            the mean, SE attention, and hops are within a point of one another, and no encoder is
            two points above the convolution.
Protocol.   Encoders: one layer, width 64, four heads, sinusoids. The others read the same 64
            embedded features, with the same dropout, optimizer and steps: 600 at 2e-3, ten seeds.
            The recipe was tuned for the encoder. The step with the best validation accuracy is the
            one tested.
Cost.       2 datasets x 8 models x 10 seeds = 160 cells.
Outcome (2026-11-24). On docstrings the first token is indeed the worst of the poolings, 5 points
            below the mean, and SE attention is 1.4 points below it; multi-hop is undecided. The
            convolution is 4 points below the mean, so the last prediction was wrong, and a bag of
            embeddings, which has no layer at all, is 2.6 points above it and nearest to TF-IDF with
            logistic regression, which no encoder reaches. Every model finds the keyword.
"""

from attn_nlp.cli import run_file
from attn_nlp.experiment import Cell, Experiment, Row, Table, together, vary


def reader(pooling: str = "mean", model: str = "encoder") -> dict[str, str]:
    """Return the settings of one way to read a sentence."""
    return {"model": model, "pooling": pooling}


ROWS = [
    Row("Mean", reader("mean"), cite="control", reference=True),
    Row("Max", reader("max"), cite="Collobert et al., 2011"),
    Row("First token", reader("first"), cite="Devlin et al., 2019"),
    Row("SE attention", reader("se_token"), cite="after Hu et al., 2018"),
    Row("Multi-hop", reader("multi_hop"), cite="Lin et al., 2017"),
    Row("Bag of embeddings", reader(model="bag_of_embeddings"), cite="Joulin et al., 2017"),
    Row("CNN", reader(model="cnn"), cite="Kim, 2014"),
    Row("BiLSTM", reader(model="bilstm"), cite="Graves & Schmidhuber, 2005"),
]

experiment = Experiment(
    base=Cell(length=40, steps=600, learning_rate=2e-3, evaluate_every=200),
    axes=[
        vary("dataset", "docstrings", "planted_keyword"),
        together(*(row.where for row in ROWS)),
        vary("seed", *range(10)),
    ],
    tables=[Table("Readers", ROWS, columns="dataset")],
)

if __name__ == "__main__":
    raise SystemExit(run_file(__file__))
