"""One optimizer step, what a re-tie does to the optimizer's state, and evaluation."""
