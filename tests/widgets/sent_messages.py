"""What a widget sends to the browser, as the tests of this folder read it."""

from __future__ import annotations

from typing import Any

import pytest

from layertie_lab.widgets.panel import Panel


def record(widget: Panel, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The messages that a widget sends from now on."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: messages.append(content))
    return messages
