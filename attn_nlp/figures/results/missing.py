"""Why a figure cannot be drawn."""


class Missing(Exception):
    """What the figure needs and does not have, in one clause without a full stop.

    A figure is drawn from numbers or not at all: there is no empty plot.
    """
