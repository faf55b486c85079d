"""Writing files, so that nobody ever reads half of one."""
