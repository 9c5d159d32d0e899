"""The widgets of a comparison: what can be compared, what came of it, and the form of a sweep."""
