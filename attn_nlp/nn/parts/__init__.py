"""The catalogue: one module for every slot or family of parts."""
