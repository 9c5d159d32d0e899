"""The explorer: train a tied transformer, step the agent by hand or let it run, and watch it live.

Open it with `marimo run apps/explorer.py`.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="Layer tying explorer", css_file="explorer.css")


@app.cell
def _():
    import marimo as mo
    from desk import make_desk

    return make_desk, mo


@app.cell
def _(make_desk, mo):
    desk = make_desk(mo.query_params())
    return (desk,)


@app.cell
def _(desk, mo):
    _title = mo.Html('<h1 class="explorer-title">Layer tying explorer</h1>')
    _head = mo.hstack([_title, mo.ui.anywidget(desk.menu)], widths=[0, 1], align="center")
    _head = mo.Html(f'<div class="explorer-head">{_head.text}</div>')
    mo.vstack([_head, mo.ui.anywidget(desk.form)], gap=0.4)
    return


@app.cell
def _(desk, mo):
    mo.hstack([mo.ui.anywidget(desk.steer), mo.ui.anywidget(desk.tie_map)], widths=[1, 1.5], gap=1.5, wrap=True)
    return


@app.cell
def _(desk, mo):
    mo.ui.anywidget(desk.chart)
    return


@app.cell
def _(desk, mo):
    mo.ui.tabs(
        {
            "Decisions": mo.ui.anywidget(desk.table),
            "Layers": mo.vstack([mo.ui.anywidget(desk.layers), mo.ui.anywidget(desk.layers_chart)]),
            "Text": mo.ui.anywidget(desk.sample),
        }
    )
    return


if __name__ == "__main__":
    app.run()
