"""How alike layers are: what passes them, what they do, what they hold."""
