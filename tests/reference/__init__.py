"""Every part once more, from its formula, in float64 NumPy and plain loops.

A part in slot "score" named "dot" has its reference in the function `score_dot`. A reference says
what the part does as seen from its slot, whatever hooks it uses for it:

    score       (q, k) -> logits                 kind        (x, q, k, v, tokens) -> output
    scale       (q, k, seen) -> scaled q . k     position    (x, q, k, v, mask) -> x, output
    mask        (rows, columns) -> bool (T, S)   weighting   (out, q_raw) -> lambda
    normalizer  (logits, mask) -> weights        activation  (logits, tokens) -> weights
    mixer       (logits, mask, v, q_raw, tokens) -> output, with softmax weights
    pooling     (x, tokens) -> (B, E)            init        (fan_in, fan_out) -> std
    features    (x) -> (B, T, E)                 model       (x, tokens) -> (B, features)

Each slot has a module. A reference takes what it needs by name: these inputs, the part's learned
arrays and settings, `seed`, `layer`, `rows`, `columns`, `maps`, `key_heads`, and functions for the
parts that its settings name. Nothing here is shared with the code under test, and nothing is fast.
"""

from tests.reference.activations import *
from tests.reference.encoder import *
from tests.reference.features import *
from tests.reference.kinds import *
from tests.reference.masks import *
from tests.reference.mixers import *
from tests.reference.models import *
from tests.reference.normalizers import *
from tests.reference.pooling import *
from tests.reference.positions import *
from tests.reference.scales import *
from tests.reference.scores import *
from tests.reference.training import *
