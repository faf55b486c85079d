"""Parts: named pieces of a model with settings, readable without JAX."""
