"""What a table can show: scores, costs, classes, steps to reach, tuning."""
