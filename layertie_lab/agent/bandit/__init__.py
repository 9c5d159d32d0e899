"""What the lab agent reasons with: features of maps, a posterior over their worth, and a planner over whole maps."""
