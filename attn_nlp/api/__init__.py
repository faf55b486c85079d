"""The way in from Python: run an experiment, look at its results; see `attn_nlp` for the names."""
