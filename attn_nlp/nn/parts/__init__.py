"""The catalogue: one module for each slot or family of parts."""
