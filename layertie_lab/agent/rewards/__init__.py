"""What the agent is told: rewards, and what is done to them."""
