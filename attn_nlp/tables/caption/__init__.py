"""The caption below a table: what its numbers mean and what they show."""
