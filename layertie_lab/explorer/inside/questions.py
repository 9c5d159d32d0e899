"""From a press in a pane to its answer: one process beside answers, and only what somebody looks at is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from ...core.errors import CancelledError, LayertieError, OptionError
from ...inspection.words import moment
from ...workers.inspector import Inspector
from ..weakly import weakly
from .pane import Found, Pane
from .place import Place


class Questions:
    """Asks for the panes of a page, and shows them what came of it.

    Args:
        panes: Name -> pane.
        place: Gives where the person looks; None where nothing is stored.

    Attributes:
        moving: Whether the moment looked at moves on with a run that goes on: what is shown may then be a little old.
    """

    def __init__(self, panes: Mapping[str, Pane], place: Callable[[], Place | None]) -> None:
        self._panes, self._place, self._lock = panes, place, threading.RLock()
        self._inspector = Inspector()
        self.moving = False
        for name, pane in panes.items():
            pane.panel.on_ask(weakly(self._pressed, name))
            pane.panel.on_cancel(weakly(self.cancel, name))
            pane.panel.on_seen(weakly(self._seen, name))
            pane.panel.on_choose(weakly(self._chosen, name))

    def allow(self, can_ask: bool) -> None:
        """Whether there is something to ask about."""
        for pane in self._panes.values():
            pane.panel.can_ask = can_ask

    def clear(self) -> None:
        """Another run is on the page."""
        with self._lock:
            for name, pane in self._panes.items():
                self.cancel(name)
                pane.clear()

    def renew(self) -> None:
        """The person looks elsewhere: show that, in each pane that somebody sees."""
        place = self._place()
        for name, pane in self._panes.items():
            if place is not None and pane.shown != pane.standing(place):
                self._renew(name, place)

    def follow(self, decision: int) -> None:
        """A run that is followed has come further: ask again where that was wished, and where nothing is shown yet."""
        place = self._place()
        for name, pane in self._panes.items():
            due = self.is_due(pane, decision) or not pane.shown
            # What is on the page of a run that goes on may be a little old, but not nothing.
            if place is not None and due and pane.seen and pane.future is None:
                self._renew(name, place)

    def any_due(self, decision: int) -> bool:
        """Whether a pane is to be asked again at a decision, as the person wished."""
        return any(self.is_due(pane, decision) for pane in self._panes.values())

    @staticmethod
    def is_due(pane: Pane, decision: int) -> bool:
        return bool(pane.panel.every) and decision % pane.panel.every == 0

    def ask(self, name: str, button: str) -> None:
        """Ask what a button of a pane asks.

        Raises:
            LayertieError: Nothing is stored that could be looked at.
        """
        pane, place = self._panes[name], self._place()
        if place is None:
            raise LayertieError("Expected a moment to look at, but nothing is stored yet.", "Press Step or Run first.")
        if pane.asks[button].decision(place) not in place.stored:
            self.cancel(name)
            _refuse(
                pane,
                f"What the agent saw before decision {place.decision} is not stored any more. Look at a decision whose "
                "predecessor is, or make it again: "
                f"layertie branch {place.run.name} --decision {place.decision}",
            )
            return
        with self._lock:
            self.cancel(name)
            pane.chosen = button
            standing = pane.standing(place)
            pane.future = future = self._inspector.ask(pane.question(place), weakly(self._share, name))
            if not future.done():
                pane.panel.show(share=-1.0, alarm=False, sentence=f"Looking {moment(place.decision)} ...")
        future.add_done_callback(weakly(self._answered, name, standing))

    def _pressed(self, name: str, button: str) -> None:
        """A button, or Enter in a field.

        Raises:
            LayertieError: As `ask`.
        """
        if self._panes[name].read():
            self.ask(name, button)

    def cancel(self, name: str) -> None:
        """End what a pane waits for, if anything."""
        pane = self._panes[name]
        future, pane.future = pane.future, None
        if future is not None and not future.done():
            self._inspector.cancel(future)
            pane.panel.show(share=None, alarm=False, sentence="Cancelled.")

    def close(self) -> None:
        """End the process that answers."""
        self._inspector.close()

    def _renew(self, name: str, place: Place) -> None:
        """Show what was found before; ask, if somebody looks at it."""
        pane = self._panes[name]
        if pane.of_token and place.picked is None:
            self.cancel(name)
            pane.clear()
        elif pane.seen:
            self.ask(name, pane.button)
        elif pane.future is not None:
            self.cancel(name)

    def _chosen(self, name: str, _: str) -> None:
        if (place := self._place()) is not None:
            self._renew(name, place)

    def _seen(self, name: str, seen: bool) -> None:
        pane, place = self._panes[name], self._place()
        pane.seen = seen
        if not seen or place is None or pane.future is not None:
            return
        before, now = pane.shown, pane.standing(place)
        # While a run goes on, what is shown of it may be a little old; a press on the button renews it.
        if before != now and not (self.moving and before[:-1] == now[:-1]):
            self._renew(name, place)

    def _share(self, name: str, done: float) -> None:
        pane = self._panes[name]
        if pane.future is not None and pane.panel.share is not None:
            pane.panel.share = done

    def _answered(self, name: str, standing: tuple[Any, ...], done: Future[Found]) -> None:
        pane = self._panes[name]
        with self._lock:
            if pane.future is not done:  # another question was asked meanwhile, or another run opened
                return
            pane.future = None
            error = done.exception()
            if error is None:
                pane.shown = standing
                pane.show(done.result())
            elif isinstance(error, CancelledError):
                pane.panel.show(share=None, alarm=False, sentence="Cancelled.")
            else:
                if isinstance(error, OptionError) and error.option in pane.fields:
                    pane.refuse(error)
                else:
                    _refuse(pane, str(error))
                pane.shown = standing


def _refuse(pane: Pane, sentence: str) -> None:
    """Say why there is no answer; what was shown before is of something else."""
    pane.clear(can_ask=pane.panel.can_ask, sentence=sentence, alarm=True)
