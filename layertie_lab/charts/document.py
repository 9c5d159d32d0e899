"""Words, tables and charts on a page that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .page import as_page, places


@dataclass(frozen=True)
class Section:
    """A part of a document; what is empty is left out.

    Args:
        heading: Above it.
        words: Paragraphs.
        facts: What is told -> what it is, as a table of two columns.
        columns: Heads of a table's columns.
        rows: The table's rows.
        pictures: Title -> Vega-Lite spec, with its rows and with `usermeta.caption`.
    """

    heading: str
    words: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def to_document(title: str, lead: str, small: str, sections: Sequence[Section], *, dark: bool = False) -> str:
    """The page's text.

    Args:
        title: Of the page.
        lead: What it comes to, in large type.
        small: Below it, in small type.
        sections: What it rests on.
        dark: Whether the page is dark.

    Raises:
        AnalysisError: The package that brings Vega along is missing or too old (`page.check_vega`).
    """
    body, drawn = [f"<p class='lead'>{escape(lead)}</p>", *_words([small], "small")], []
    for section in sections:
        body += [f"<h2>{escape(section.heading)}</h2>", *_words(section.words)]
        if section.facts:
            lines = (_row([about], "th") + _row([said]) for about, said in section.facts.items())
            body.append(f"<div class='wide'><table><tbody>{_lines(lines)}</tbody></table></div>")
        if section.rows:
            head = f"<thead>{_lines([_row(section.columns, 'th')])}</thead>"
            body.append(
                f"<div class='wide'><table>{head}<tbody>{_lines(map(_row, section.rows))}</tbody></table></div>"
            )
        if section.pictures:
            body.append(places(section.pictures, len(drawn)))
            drawn += section.pictures.values()
    return as_page("\n".join(body), drawn, title=title, dark=dark)


def _words(paragraphs: Sequence[str], kind: str = "") -> list[str]:
    mark = f" class='{kind}'" if kind else ""
    return [f"<p{mark}>{escape(words)}</p>" for words in paragraphs if words]


def _row(cells: Sequence[str], kind: str = "td") -> str:
    return "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells)


def _lines(rows: Any) -> str:
    return "\n".join(f"<tr>{row}</tr>" for row in rows)
