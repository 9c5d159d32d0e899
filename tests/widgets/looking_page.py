"""The page of the browser tests of what looks inside a run: the widgets, and a remote control for the Python side."""

import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    from remote import Remote

    from layertie_lab.core.columns import Column
    from layertie_lab.widgets.pictures import Pictures
    from layertie_lab.widgets.rows_table import RowsTable
    from layertie_lab.widgets.time_panel import TimePanel
    from layertie_lab.widgets.token_text import TokenText

    return Column, Pictures, Remote, RowsTable, TimePanel, TokenText, mo


@app.cell
def _(mo):
    again = mo.ui.button(value=0, on_click=lambda rounds: rounds + 1, label="Again")
    again  # noqa: B018
    return (again,)


@app.cell
def _(Column, Pictures, Remote, RowsTable, TimePanel, TokenText, again):
    columns = [
        Column("layer", "Layer", "Counted from 0", number=True),
        Column("by", "By", "Who answered"),
        Column("change", "Change", "Of the loss, in nats", number=True),
    ]
    time, pictures, table, text = TimePanel(), Pictures(columns=2), RowsTable(columns, by="layer"), TokenText("Losses")
    remote = Remote({"time": time, "pictures": pictures, "table": table, "text": text}, again.value)
    remote.listen("move", time.on_move)
    remote.listen("probe", time.on_probe)
    remote.listen("other", time.on_other)
    remote.listen("pick", text.on_pick)
    return pictures, remote, table, text, time


@app.cell
def _(mo, pictures, remote, table, text, time):
    mo.vstack([mo.ui.anywidget(each) for each in (remote, time.alone, text.alone, table.alone, pictures.alone)])
    return


if __name__ == "__main__":
    app.run()
