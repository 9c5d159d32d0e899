"""One run, one decision at a time, and what is done with it: schedule, recorder, evaluator, replay."""
