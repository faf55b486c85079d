"""Results in one SQLite file: see `Store`."""

from attn_nlp.store.file import StoreError
from attn_nlp.store.results import DEFAULT_PATH, Store
from attn_nlp.store.schema import FINAL, LARGE, SMALL

__all__ = ["DEFAULT_PATH", "FINAL", "LARGE", "SMALL", "Store", "StoreError"]
