"""Models and attention in JAX and Flax."""
