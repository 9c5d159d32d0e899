"""Who acts for each layer, what it is told, and how it learns."""
