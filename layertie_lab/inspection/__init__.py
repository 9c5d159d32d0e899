"""Looking inside a run at a moment: stored states, probe sets, and the views that analysis gives of them."""
