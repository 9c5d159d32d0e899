"""What the tab "Look inside" shows: a pane for each view of a run at a moment, as the view describes itself.

In reading order: `place` (which moment, on which probe set, against which model), `pane` (the widgets of a view out of
`inspection.views`), `questions` (from a press to an answer, by a process beside).
"""
