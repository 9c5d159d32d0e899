"""What a run or a model claimed, beside what was true of it.

In reading order: `run_audit` (a run, from its log), `rows` (claimed and true, decision by decision), `findings` (what a
finding is), `sharing_findings` (departures 1 to 5), `training_findings` (6 to 11); `module_audit` (any PyTorch model,
before it trains) with `module_findings`.
"""
