// Whole pictures in a grid. One whose spec stays the same gets its new rows; the others are made anew.

/** The rows of one picture, as `Panel.update` wants them. */
class Rows {
  constructor(data) {
    this.data = data;
  }

  size(table) {
    return (this.data[table] ?? []).length;
  }

  rows(table) {
    // Vega writes into the rows it is given.
    return (this.data[table] ?? []).map((row) => ({ ...row }));
  }
}

class PictureGrid {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.panels = [];
    this.resizer = new ResizeObserver((entries) => {
      for (const entry of entries) {
        const panel = this.panels.find((panel) => panel.plot === entry.target);
        if (panel && entry.contentRect.width) panel.resize(Math.floor(entry.contentRect.width));
      }
    });
    this.build();
  }

  // Whole pictures are not linked along an axis.
  hover() {}
  zoom() {}

  build() {
    const start = performance.now();
    const [kept, made] = [new Map(this.panels.map((panel) => [panel.key, panel])), []];
    this.panels = this.model.get("panels").map((wanted) => {
      const key = JSON.stringify([wanted.title, wanted.caption, wanted.spec]);
      const panel = kept.get(key) ?? new Panel(this, wanted);
      if (!kept.delete(key)) made.push(panel);
      Object.assign(panel, { key, rows: new Rows(wanted.data), whole: true });
      return panel;
    });
    for (const panel of kept.values()) {
      this.resizer.unobserve(panel.plot);
      panel.view?.finalize();
    }
    this.root.style.setProperty("--ll-columns", this.model.get("columns"));
    const elements = this.panels.map((panel) => panel.element);
    const same = elements.length === this.root.children.length && elements.every((e, at) => e === this.root.children[at]);
    if (!same) this.root.replaceChildren(...elements);
    made.forEach((panel) => this.make(panel));
    made.forEach((panel) => this.resizer.observe(panel.plot));
    this.draw(start);
  }

  make(panel) {
    try {
      panel.make(Math.max(200, Math.floor(panel.plot.clientWidth) || 400), this.model.get("themes")[this.root.dataset.theme]);
    } catch (error) {
      panel.view = undefined;
      panel.plot.replaceChildren(html("p", { class: "ll-wrong" }, `This chart cannot be drawn: ${error.message}`));
    }
  }

  theme() {
    this.panels.forEach((panel) => this.make(panel));
    this.draw(performance.now());
  }

  async draw(start) {
    await Promise.all(this.panels.map((panel) => panel.update(panel.rows, null)));
    this.root.dataset.drawMs = (performance.now() - start).toFixed(1);
    this.root.dataset.draws = Number(this.root.dataset.draws ?? 0) + 1;
  }

  close() {
    this.resizer.disconnect();
    this.panels.forEach((panel) => panel.view?.finalize());
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-charts", ...KEYS_STAY_HERE });
  el.append(root);
  let grid = null;
  const stopTheme = followTheme(root, () => grid.theme());
  grid = new PictureGrid(model, root);
  const stop = observe(model, ["panels", "columns"], oncePerFrame(() => grid.build()));
  return () => {
    stop();
    stopTheme();
    grid.close();
  };
}

export default { render };
