// Rows as a table that can be sorted by each column; sorting stays when other rows come.

class RowsTable {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.columns = model.get("columns");
    this.by = Math.max(0, this.columns.findIndex((column) => column.name === model.get("by")));
    this.up = true;
    this.heads = this.columns.map((column, at) => this.head(column, at));
    this.body = html("tbody", {});
    const table = html("table", {}, html("thead", {}, html("tr", {}, ...this.heads)), this.body);
    this.say = html("p", { class: "ll-say" });
    this.box = html("div", { class: "ll-box", tabindex: 0, role: "region", "aria-label": "Table" }, table);
    root.append(this.say, this.box);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  head(column, at) {
    const button = html("button", { type: "button", title: `${column.title}. Press to sort.` }, column.head);
    button.addEventListener("click", () => {
      this.up = this.by === at ? !this.up : !column.number;
      this.by = at;
      this.repaint();
    });
    return html("th", { scope: "col", class: column.number ? "ll-number" : null }, button);
  }

  paint() {
    const rows = [...this.model.get("rows")].sort((a, b) => {
      const order = compare(a[this.by], b[this.by]);
      return this.up ? order : -order;
    });
    this.heads.forEach((head, at) => {
      set(head, { "aria-sort": at === this.by ? (this.up ? "ascending" : "descending") : null });
    });
    this.body.replaceChildren(...rows.map((row) => html("tr", {}, ...row.map((value, at) => this.cell(value, this.columns[at])))));
    this.box.hidden = rows.length === 0;
    say(this.say, this.model.get("sentence"));
    this.root.dataset.rows = rows.length;
  }

  cell(value, column) {
    if (!column.number) return html("td", {}, value === null ? "" : String(value));
    const words = value === null ? "" : column.digits !== null ? value.toFixed(column.digits) : Number.isInteger(value) ? String(value) : inWords(value);
    return html("td", { class: "ll-number" }, words.replace("-", "\u2212"));
  }
}

/** Order of two values; what is absent comes first. */
function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return a < b ? -1 : 1;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-table" });
  el.append(root);
  const table = new RowsTable(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["rows", "sentence"], table.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
