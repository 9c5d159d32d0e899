"""The event log: written, followed, read as frames, and taken up again."""
