"""What a run or a model claimed, beside what was true of it."""
