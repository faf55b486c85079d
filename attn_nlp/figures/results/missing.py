"""The reason why a figure cannot be drawn."""


class Missing(Exception):
    """A figure lacks the numbers it needs; says which, in one clause without a period.

    A figure is drawn from numbers or not at all: there are no empty plots.
    """
