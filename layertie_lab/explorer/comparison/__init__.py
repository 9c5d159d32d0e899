"""What "Compare" does, apart from its widgets.

In reading order: `shipped` (the recorded comparison), `entries` (what can be compared), `choice` (chosen runs as
groups), `answer` (what they come to, in words and pictures), `sweeping` (a sweep planned and made from the page).
"""
