"""A widget by which a test in the browser's process calls methods of other widgets in the kernel's, and reads back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from layertie_lab.core.errors import LayertieError

_CODE = """
function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "remote";
  root.tell = (call) => model.send(call);
  const paint = () => Object.assign(root.dataset, {
    done: model.get("done"), round: model.get("round"),
    heard: JSON.stringify(model.get("heard")), failed: model.get("failed"),
  });
  for (const name of ["done", "heard", "failed"]) model.on(`change:${name}`, paint);
  paint();
  el.append(root);
}
export default { render };
"""


class Remote(anywidget.AnyWidget):
    """The kernel's end.

    Args:
        widgets: Name -> widget whose methods can be called.
        round: Which of the remotes of a page it is.

    Attributes:
        done: How many calls have been made.
        heard: [name, values] of each callback of the widgets that was called.
        failed: What a call raised; "" for nothing.
    """

    _esm = _CODE

    round = traitlets.Int(0).tag(sync=True)
    done = traitlets.Int(0).tag(sync=True)
    heard = traitlets.List().tag(sync=True)
    failed = traitlets.Unicode("").tag(sync=True)

    def __init__(self, widgets: dict[str, Any], round: int = 0) -> None:
        super().__init__(round=round)
        self._widgets, self._refusal = widgets | {"remote": self}, ""
        self.on_msg(self._call)

    def listen(self, name: str, to: Callable[[Callable[..., Any]], Any]) -> None:
        """Keep what a widget's callback is called with under a name; refuse it while `refuse` says so."""

        def hear(*values: Any) -> None:
            self.heard = [*self.heard, [name, list(values)]]
            if self._refusal:
                raise LayertieError(self._refusal)

        to(hear)

    def refuse(self, words: str) -> None:
        """From now on raise a LayertieError in callbacks; "" = no more."""
        self._refusal = words

    def _call(self, widget: object, message: dict[str, Any], buffers: object) -> None:
        try:
            target = self._widgets[message["widget"]]
            getattr(target, message["method"])(*message["args"], **message["kwargs"])
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"
        self.done += 1
