"""Did it matter? Branches, paired runs, interim analyses, verdicts and their words."""
