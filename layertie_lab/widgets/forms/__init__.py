"""What a person fills in: a run's settings, constraints, a hypothesis."""
