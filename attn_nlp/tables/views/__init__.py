"""The views of a table: scores, costs, classes, steps to reach an accuracy, tuning."""
