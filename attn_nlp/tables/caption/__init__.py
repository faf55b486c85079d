"""What stands below a table: what its numbers mean and what was found."""
