"""Training runs that are none, with a known best map: does an agent learn?"""
