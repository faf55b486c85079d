"""The Python API: run experiments and read their results; `attn_nlp` exports the names."""
