"""What the agent is told: one file per reward, the registry that a config asks, and what is done to rewards."""
