"""The page of the browser tests of what looks inside a run: the widgets, and a remote control for the Python side."""

import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    from remote import Remote

    from layertie_lab.core.columns import Column
    from layertie_lab.widgets.pictures import Pictures
    from layertie_lab.widgets.probe_panel import ProbePanel
    from layertie_lab.widgets.rows_table import RowsTable
    from layertie_lab.widgets.time_panel import TimePanel
    from layertie_lab.widgets.token_text import TokenText

    return Column, Pictures, ProbePanel, Remote, RowsTable, TimePanel, TokenText, mo


@app.cell
def _(mo):
    again = mo.ui.button(value=0, on_click=lambda rounds: rounds + 1, label="Again")
    again  # noqa: B018
    return (again,)


@app.cell
def _(Column, Pictures, ProbePanel, Remote, RowsTable, TimePanel, TokenText, again):
    columns = [
        Column("layer", "Layer", "Counted from 0", number=True),
        Column("by", "By", "Who answered"),
        Column("change", "Change", "Of the loss, in nats", number=True),
    ]
    time, probe, pictures, table, text = (
        TimePanel(),
        ProbePanel(),
        Pictures(columns=2),
        RowsTable(columns, by="layer"),
        TokenText("Losses"),
    )
    remote = Remote({"time": time, "set": probe, "pictures": pictures, "table": table, "text": text}, again.value)
    remote.listen("move", time.on_move)
    remote.listen("probe", probe.on_probe)
    remote.listen("other", probe.on_other)
    remote.listen("pick", text.on_pick)
    return pictures, probe, remote, table, text, time


@app.cell
def _(mo, pictures, probe, remote, table, text, time):
    panels = (time, probe, text, table, pictures)
    mo.vstack([mo.ui.anywidget(each) for each in (remote, *(panel.alone for panel in panels))])
    return


if __name__ == "__main__":
    app.run()
