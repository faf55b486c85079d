"""The revision of every stage that decides a result; parts carry their own in the registry.

A revision is raised when the stage computes something else, so that earlier rows are not taken for
current ones. `tests/golden/revisions.json` holds a digest of each stage's output on a
fixed input: a digest that changes without its revision fails a test by name.
"""

REVISIONS = {
    "data": 3,
    "tokens": 1,
    "encoder": 4,
    "blocks": 2,  # of cells whose attention is computed in blocks; see `attention.chunk`
    "training": 3,
    "metrics": 2,
    "baselines": 1,
}
