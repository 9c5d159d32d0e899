"""What each position of a tied stack does for the loss, and what changes of ties cost."""
