# /// script
# [tool.marimo.display]
# theme = "system"
# ///

"""The explorer: train a tied transformer, step the agent by hand or let it run, and watch it live.

Open it with `marimo run apps/explorer.py`.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Layer tying explorer", css_file="explorer.css")


@app.cell
def _():
    from pathlib import Path
    from types import SimpleNamespace

    import marimo as mo

    from layertie_lab.explorer import Explorer
    from layertie_lab.explorer.gate import admission
    from layertie_lab.explorer.layout import draw

    return Explorer, Path, SimpleNamespace, admission, draw, mo


@app.cell
def _(admission, mo):
    # A page of another site, or under a foreign name of this server, is shown a sentence and nothing else.
    _meta = mo.app_meta()
    visit = admission(_meta.request, served=_meta.mode == "run")
    mo.stop(bool(visit.refusal), visit.refusal)
    return (visit,)


@app.cell
def _(Explorer, Path, mo, visit):
    _examples = Path(__file__).parents[1] / "data" / "examples"
    explorer = Explorer(query=mo.query_params(), examples=_examples, terms=visit.terms, session=visit.session)
    return (explorer,)


@app.cell
def _(SimpleNamespace, explorer, mo):
    # marimo holds its elements weakly; these live as long as the cell.
    elements = {widget: mo.ui.anywidget(widget) for widget in explorer.widgets}
    # How each kind of part of a page looks here (`explorer.css`).
    host = SimpleNamespace(
        widget=elements.__getitem__,
        rows=mo.vstack,
        pair=lambda left, right: mo.Html(f'<div class="explorer-pair"><div>{left}</div><div>{right}</div></div>'),
        pinned=lambda top, below: mo.Html(f'<div><div class="explorer-time">{top}</div>{below}</div>'),
        tabs=mo.ui.tabs,
    )
    return elements, host


@app.cell
def _(elements, explorer, mo):
    _menu, _form = elements[explorer.menu], elements[explorer.form]
    mo.Html(f'<div class="explorer-head"><h1>Layer tying explorer</h1>{_menu}</div>{_form}')
    return


@app.cell
def _(draw, explorer, host):
    draw(explorer.steering, host)
    return


@app.cell
def _(draw, explorer, host):
    draw(explorer.chart, host)
    return


@app.cell
def _(draw, explorer, host):
    draw(explorer.below, host)
    return


if __name__ == "__main__":
    app.run()
