"""One optimizer step, what a re-tie does to the moments, and evaluation."""
