"""Files that come from a browser in pieces: whole, in order, bounded; and what the form makes of them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from layertie_lab.core.errors import LayertieError
from layertie_lab.widgets.forms.settings_form import SettingsForm
from layertie_lab.widgets.forms.upload import MOST_BYTES, PIECE_BYTES, Upload
from layertie_lab.widgets.messages import LONGEST_TEXT


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_pieces_become_the_file() -> None:
    upload, content = Upload(), bytes(range(256)) * 8
    assert upload.take("a", len(content), 0, coded(content[:999])) is None
    assert upload.take("a", len(content), 999, coded(content[999:])) == content
    assert upload.take("a", 2, 0, coded(b"ab")) == b"ab"
    assert len(coded(b"x" * PIECE_BYTES)) <= LONGEST_TEXT


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (("a", MOST_BYTES + 1, 0, coded(b"ab")), "at most 25 MB, but a has 25.0 MB"),
        (("a", 3 * 10**9, 0, coded(b"ab")), "a has 3,000.0 MB"),
        (("a", 0, 0, ""), "is empty"),
        (("a", 10, 3, coded(b"ab")), "another one came"),
        (("b", 10, 2, coded(b"cd")), "another one came"),
        (("a", 11, 2, coded(b"cd")), "another one came"),
        (("a", 10, 2, coded(b"123456789")), "another one came"),
        (("a", 10, 2, "no base64!"), "another one came"),
        (("a", 10, 2, ""), "another one came"),
        (("a", 10, 2, "\u00e9\u00e9\u00e9\u00e9"), "another one came"),
    ],
)
def test_what_is_no_next_piece_is_refused_and_forgets_the_file(piece: tuple[Any, ...], said: str) -> None:
    upload = Upload()
    upload.take("a", 10, 0, coded(b"ab"))
    with pytest.raises(LayertieError, match=said):
        upload.take(*piece)
    with pytest.raises(LayertieError, match="another one came"):
        upload.take("a", 10, 2, coded(b"cd"))
    assert upload.take("a", 2, 0, coded(b"ab")) == b"ab"


def test_the_form_hands_a_file_on_and_says_why_one_was_not_taken() -> None:
    form, heard, sent = SettingsForm(), [], []
    form.on_text(lambda name, content: heard.append((name, content)))
    form.send = lambda content, buffers=None: sent.append(content)
    form.hear({"kind": "upload", "id": "v-1", "name": "a.txt", "size": 4, "at": 0, "data": coded(b"ab")})
    form.hear({"kind": "upload", "id": "v-2", "name": "a.txt", "size": 4, "at": 2, "data": coded(b"cd")})
    assert heard == [("a.txt", b"abcd")]
    form.hear({"kind": "upload", "id": "v-3", "name": "a.txt", "size": 10**9, "at": 0, "data": coded(b"ab")})
    assert [(answer["id"], answer["good"]) for answer in sent] == [("v-1", True), ("v-2", True), ("v-3", False)]
    assert "at most 25 MB" in form.upload_problem
    assert not form.problems  # the text that was chosen before can be trained on all the same
    form.hear({"kind": "change", "path": "text.corpus", "value": "stdlib"})
    assert form.upload_problem == ""


def test_a_form_is_seen_while_any_page_shows_it() -> None:
    form, heard = SettingsForm(), []
    form.on_seen(heard.append)
    for view, seen in (("a", True), ("b", True), ("a", False), ("b", False), ("b", False)):
        form.hear({"kind": "seen", "view": view, "seen": seen})
    assert heard == [True, False]


def test_a_text_that_cannot_be_read_keeps_the_form_from_starting() -> None:
    form, started = SettingsForm(), []
    form.on_start(started.append)
    form.blame_text("text.corpus", "Expected text.corpus to be a text. Choose another.")
    assert form.text_problems == {"text.corpus": "Expected \u201cText\u201d to be a text. Choose another."}
    form.hear({"kind": "start"})
    assert started == []
    form.blame_text("text.corpus", "")
    form.hear({"kind": "start"})
    assert len(started) == 1
