"""Which number should multiply the score?

`whole_table.py` fills and times this table. Twelve values of one number share a program, and other
libraries can be given the number too.
"""

from attn_nlp.experiment import Cell, Experiment, Table, vary

VALUES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
SCALES = [f"constant(c={value})" for value in VALUES]

experiment = Experiment(
    base=Cell(heads=2),
    axes=[vary("attention.scale", *SCALES), vary("seed", *range(10))],
    tables=[Table("Scales", "attention.scale", reference=SCALES[0])],
)
