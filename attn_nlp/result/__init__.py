"""The result of a cell: its fields, how they are checked, and scores from its counts.

Plain Python alone, so that results are checked and added up wherever they are read.
"""
