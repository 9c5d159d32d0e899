"""Panels over a run: live and still, curves, the tie map and its history.

In reading order: `parts` (what all panels are made of), `panels` (loss, reward, parameters, memory, ...), `strips` (the
history of the map, values of the actions), `live` (specs that start empty), `static` (the same from frames), `maps`
(one tie map), `glance` (one moment).
"""
