"""A record as a finished cell leaves it."""

from __future__ import annotations

SPEC = "a" * 64


def record(**changes):
    return {
        "key": "k" * 64,
        "status": "done",
        "reason": None,
        "program": "p",
        "parameters": 7,
        "best_step": 30,
        "wall_seconds": 5.0,
        "compile_seconds": 1.0,
        "peak_bytes": 1000,
        "fingerprint": "rows",
        "tokenizer_hash": "tokens",
        "validation": {"accuracy": 0.1 + 0.2, "loss": 1.0, "macro_f1": 0.5},
        "test": {"accuracy": 0.5, "loss": 1.0, "macro_f1": 1 / 3},
        "data": {"label": "评论"},
        "provenance": {"jax": "1"},
        "settings": {"steps": 10, "seed": 0},
        "confusion": [[1, 1], [0, 0]],
        "history": [{"step": 1}],
        "predictions": [0, 1],
        **changes,
    }
