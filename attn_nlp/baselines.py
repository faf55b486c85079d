"""Honest baselines: what can be learned from a dataset without attention.

Without them, a table cannot show that attention is worth anything. Both use the texts and labels of
the prepared data, never its tokens, and nothing in them is random, so one run per dataset is
enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attn_nlp.parts.registry import model

if TYPE_CHECKING:
    import numpy as np

    from attn_nlp.data import Prepared

STRENGTHS = (0.1, 1.0, 10.0, 100.0)
_BYTES_OF_A_NUMBER = 8
_WORDS_AND_MARKS = r"(?u)\w+|[^\w\s]"  # one-letter words too
FEATURES = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": _WORDS_AND_MARKS},
    "characters": {"analyzer": "char", "ngram_range": (1, 3)},
}


@model("majority", label="Majority class", cite="control", baseline=True, flops=0)
def majority(prepared: Prepared, report: Callable[[Mapping], None]) -> dict:
    """Predict the class that is most frequent in training, whatever the sentence.

        p[c] = n[c] / N over the training split;  answer = argmax p

    Among equally frequent classes, the first is predicted. The loss is that of predicting the
    training frequencies; a class that never occurs in training counts as half an occurrence.

    Args:
      prepared: the dataset; only its labels are read.
      report: called once.

    Returns:
      The result of a model, as `attn_nlp.nn.parts.models.encoder` returns it; C parameters.
    """
    import numpy as np  # here, so that listing parts does not import it

    began = time.perf_counter()
    report({"step": 0, "steps": 1})
    counts = np.bincount(prepared.labels_of("train"), minlength=len(prepared.class_names))
    counts = np.maximum(counts, 0.5)
    log_frequencies = np.log(counts / counts.sum())

    def class_logits(split: str) -> np.ndarray:
        return np.tile(log_frequencies, (len(prepared.labels_of(split)), 1))

    return _result(prepared, class_logits, len(counts), began)


@model(
    "tfidf_logreg",
    label="TF-IDF + logistic regression",
    cite="scikit-learn; Pedregosa et al., 2011",
    baseline=True,
    flops="4*T*C",  # T words and as many pairs of words, each with a coefficient per class
    revision=2,  # 2: characters are tried on every dataset, not only on Chinese ones
)
def tfidf_logreg(prepared: Prepared, report: Callable[[Mapping], None]) -> dict:
    """Weight words or characters by rarity, and fit a linear classifier.

        x[d, w] = (1 + log tf[d, w]) (1 + log((1 + N) / (1 + df[w]))), each row to unit length
        class_logits = x W + b, fitted with the penalty |W|^2 / (2 C)

    Features w are words and punctuation marks with pairs of neighbors, or runs of one to three
    characters, both in lower case: a language without spaces has no words to count. The kind of
    features, and the strength C among 0.1, 1, 10 and 100, are chosen by accuracy on validation;
    ties are won by words, then by the smallest C. The test split is read once, with the winner. The
    vocabulary is that of the training split.

    Args:
      prepared: the dataset; its texts and labels are read.
      report: called once for every trial.

    Returns:
      The result of a model, as `attn_nlp.nn.parts.models.encoder` returns it; parameters are the
      coefficients and intercepts. `history` has an entry for every trial (`characters` is 1 for
      them and 0 for words), and `reason` names the winner: "by characters, C = 10".

    References:
      Pedregosa et al., "Scikit-learn: Machine Learning in Python", JMLR 12, 2011.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    texts = {split: prepared.texts(split) for split in ("train", "validation")}
    history: list[dict] = []
    best: Any = None
    most = -1.0
    # Several threads would change the last bits of sums.
    with threadpool_limits(1):
        for name, options in FEATURES.items():
            features = TfidfVectorizer(sublinear_tf=True, **options)
            train = features.fit_transform(texts["train"])
            validation = features.transform(texts["validation"])
            for strength in STRENGTHS:
                report({"step": len(history), "steps": len(FEATURES) * len(STRENGTHS)})
                fitted = LogisticRegression(C=strength, max_iter=1000)
                fitted.fit(train, prepared.labels_of("train"))
                accuracy = float(fitted.score(validation, prepared.labels_of("validation")))
                if accuracy > most:
                    most = accuracy
                    best = fitted, features, validation, f"by {name}, C = {strength:g}"
                history.append(
                    {
                        "step": len(history),
                        "characters": int(name == "characters"),  # a history contains only numbers
                        "strength": strength,
                        "validation_accuracy": accuracy,
                    }
                )
        fitted, features, validation, chosen = best

        def class_logits(split: str) -> np.ndarray:
            transformed = split == "validation"
            given = validation if transformed else features.transform(prepared.texts(split))
            shape = len(prepared.labels_of(split)), len(prepared.class_names)
            logits = np.full(shape, np.log(1e-12))  # for classes that never occur in training
            logits[:, fitted.classes_] = fitted.predict_log_proba(given)
            return logits

        parameters = fitted.coef_.size + fitted.intercept_.size
        result = _result(prepared, class_logits, parameters, began)
        return result | {"reason": chosen, "history": history}


def _result(
    prepared: Prepared, class_logits: Callable[[str], np.ndarray], parameters: int, began: float
) -> dict:
    from attn_nlp.metrics import confusion, evaluate

    validation, test = (
        evaluate(prepared.labels_of(split), class_logits(split), prepared.positive)
        for split in ("validation", "test")
    )
    classes = len(prepared.class_names)
    return {
        "status": "done",
        "reason": None,
        "parameters": parameters,
        "best_step": 0,
        "validation": validation.scores,
        "test": test.scores,
        "history": [],
        "confusion": confusion(prepared.labels_of("test"), test.predictions, classes),
        "predictions": test.predictions.tolist(),
        "confidences": test.confidences.tolist(),
        "wall_seconds": time.perf_counter() - began,
        "compile_seconds": 0.0,
        "peak_bytes": parameters * _BYTES_OF_A_NUMBER,
    }
