"""Figures: the data flow of every part, and the plate of the three mechanisms.

In: registered parts. Out: SVG and PNG files. A figure is first laid out as plain boxes and arrows
(`drawing.py`), which a test can measure, and then drawn by matplotlib (`render.py`), which is
imported only inside functions. Nothing here imports JAX.
"""

from attn_nlp.figures.drawing import Drawing
from attn_nlp.figures.mechanisms import mechanism
from attn_nlp.figures.plate import plate
from attn_nlp.figures.render import FORMATS, save

__all__ = ["FORMATS", "Drawing", "mechanism", "plate", "save"]
