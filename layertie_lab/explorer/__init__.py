"""The explorer as Python objects over a run, the same in marimo, Jupyter and VS Code.

In reading order:

- `explorer`: `Explorer`, the widgets of one page; `run_on_page`, the run that they show, and how another one takes its
  place; `query`, the page's address. `first_steps` and `doors`: what a newcomer is told and where that leads.
- `layout`: how widgets stand on a page, as values that each host draws; `jupyter` is one such host, `apps/explorer.py`
  holds the other.
- `held_run`: the run on the page, apart from the page. `run_list`: the runs that can be opened. `still_run`: what is
  shown of one that does not go on. `farewells`: pages that are only reloaded. `live_panels`: the charts at the top.
- `feed`: from a run's entries to the widgets, with `shown_state` (where the run stands), `bar_scale` and `pilot` (from
  a press to a command). `control_room`: the small one, over a Session or a Worker.
- `terms`: what whoever runs a server lets its visitors do, and which folders a page reaches. `visitors`: one folder of
  runs for all, or one for each. `gate`: who may come in. `server`: the same before the page is there, for
  `layertie explore`.
- `tab`: what all tabs have in common. `tabs`: a file each, named in `tabs.registry`.
- `inside`: what the tab "Look inside" is made of, and `counterfactual_words` what "Did it matter?" reads and says.
"""

from __future__ import annotations

from ..workers.thread import SessionThread
from .control_room import ControlRoom
from .explorer import Explorer
from .feed import Feed

__all__ = ["ControlRoom", "Explorer", "Feed", "SessionThread"]
