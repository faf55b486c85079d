"""Labels of the baselines, fixed here so that golden files depend on nothing else."""

from types import SimpleNamespace

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_BASELINES = {
    "majority": SimpleNamespace(label="majority class", cite=""),
    "tfidf_logreg": SimpleNamespace(label="TF-IDF + logistic regression", cite=""),
}


@pytest.fixture(autouse=True)
def baseline_labels(monkeypatch):
    monkeypatch.setattr("attn_nlp.parts.registry.find", lambda slot, name: _BASELINES[name])
