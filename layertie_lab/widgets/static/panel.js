// One Vega chart of a widget: its view is made once, and rows are handed to it.

const HOVER = "hover_row";
const ZOOM = "zoom_at";
const noNetwork = { load: () => Promise.reject(new Error("charts load nothing")), sanitize: async (uri) => ({ href: uri }) };

/** The rows that the browser holds, by table, in columns. */
class Store {
  constructor() {
    this.tables = {};
  }

  size(table) {
    const columns = Object.values(this.tables[table] ?? {});
    return columns.length ? columns[0].length : 0;
  }

  replace(tables) {
    this.tables = {};
    this.append(tables);
  }

  append(tables) {
    for (const [table, columns] of Object.entries(tables)) {
      const held = (this.tables[table] ??= {});
      for (const [name, values] of Object.entries(columns)) (held[name] ??= []).push(...values);
    }
  }

  /** Rows from a place on, as fresh objects: Vega writes into the ones it is given. */
  rows(table, from = 0) {
    const columns = Object.entries(this.tables[table] ?? {});
    const rows = [];
    for (let at = from; at < this.size(table); at++) {
      rows.push(Object.fromEntries(columns.map(([name, values]) => [name, values[at]])));
    }
    return rows;
  }
}

/** One chart: its view, and how far into the store it has come. */
class Panel {
  constructor(chart, { title, caption, spec, tables }) {
    this.chart = chart;
    this.spec = spec;
    this.tables = tables;
    // Only panels that can be zoomed have the run along their x axis.
    this.linked = (spec.params ?? []).some((param) => `${param.name}_at` === ZOOM);
    this.plot = html("div", { class: "ll-plot" });
    this.tip = html("dl", { class: "ll-tip", hidden: "" });
    const save = html("button", { class: "ll-quiet", type: "button" }, "Save picture");
    save.addEventListener("click", () => this.save(title));
    this.title = title;
    this.head = html("h3", {}, title);
    const head = html("div", { class: "ll-panel-head" }, this.head, save);
    const lines = html("figcaption", { class: "ll-caption" }, ...explanation(caption));
    this.element = html("figure", { class: "ll-panel", "data-panel": title }, head, this.plot, lines, this.tip);
    this.shown = {};
    this.whole = true;
    this.width = 0;
    this.height = this.wanted = spec.height;
  }

  /** Make the view. Called once, and again only where the theme has turned. */
  make(width, config) {
    this.width = width;
    this.view?.finalize();
    // Vega finds a pointer over an empty part of a plot only where the plot has a fill, be it transparent.
    const view = { ...config.view, fill: config.view?.fill ?? "transparent" };
    const { spec } = vegaBundle.compile({ ...this.spec, width, height: this.height, config: { ...config, view } });
    const options = { renderer: "canvas", container: this.plot, hover: true, logLevel: 1, loader: noNetwork };
    this.view = new vegaBundle.View(vegaBundle.parse(spec), options);
    // Vega keeps what rows that have left looked like, up to 10,000 per mark: 9 MB a minute over all panels.
    this.view.cleanThreshold = 200;
    this.view.tooltip((handler, event, item, value) => this.showTip(event, value));
    if (this.linked) {
      this.view.addEventListener("pointermove", (event) => this.chart.hover(this.place(event)));
      this.plot.onpointerleave = () => this.chart.hover(null);
      this.plot.onclick = () => this.chart.look?.();
    }
    this.whole = true;
    if (this.linked && this.chart.zoomed) this.view.signal(ZOOM, this.chart.zoomed);
    if (this.linked) this.view.addSignalListener(ZOOM, (name, value) => this.chart.zoom(this, value));
  }

  /** Where on the x axis a pointer event is, in the axis's own unit. */
  place(event) {
    const scale = this.view.scale("x");
    const canvas = this.plot.querySelector("canvas");
    if (!scale?.invert || !canvas) return null;
    const at = event.clientX - canvas.getBoundingClientRect().left - this.view.origin()[0];
    return at < -2 || at > this.view.signal("width") + 2 ? null : scale.invert(at);
  }

  /** Hand the view what it has not seen yet. */
  async update(store, hovered) {
    if (!this.view) return;
    const { changeset } = vegaBundle;
    for (const table of this.tables) {
      const from = this.whole ? 0 : (this.shown[table] ?? 0);
      const change = changeset();
      if (this.whole) change.remove(() => true);
      if (this.whole || store.size(table) > from) this.view.change(table, change.insert(store.rows(table, from)));
      this.shown[table] = store.size(table);
    }
    this.whole = false;
    if (HOVER in this.spec.datasets && hovered !== this.hovered) {
      this.hovered = hovered;
      this.view.change(HOVER, changeset().remove(() => true).insert(hovered ? [{ ...hovered }] : []));
    }
    if (this.wanted !== this.height) this.view.height((this.height = this.wanted));
    await this.view.runAsync();
  }

  resize(width) {
    if (!this.view || Math.abs(width - this.width) < 1) return;
    this.width = width;
    this.view.width(width).runAsync();
  }

  showTip(event, value) {
    this.tip.hidden = value === null || value === undefined || value === "";
    if (this.tip.hidden) return;
    const entries = typeof value === "object" ? Object.entries(value) : [["", String(value)]];
    this.tip.replaceChildren(...entries.flatMap(([name, text]) => [html("dt", {}, name), html("dd", {}, String(text))]));
    const box = this.element.getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 4);
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${event.clientY - box.top + 16}px`;
  }

  async save(name) {
    const page = getComputedStyle(this.chart.root).getPropertyValue("--ll-face").trim();
    const picture = (await this.view.toSVG()).replace("<svg ", `<svg style="background: ${page}" `);
    const address = URL.createObjectURL(new Blob([picture], { type: "image/svg+xml" }));
    html("a", { href: address, download: `${name}.svg` }).click();
    URL.revokeObjectURL(address);
  }
}

/** The first sentence of a caption, and the others behind a word. */
function explanation(caption) {
  const end = caption.search(/\.\s/) + 1;
  if (!end) return [caption];
  const more = html("span", { class: "ll-more" }, "How to read this");
  const first = html("span", { class: "ll-first" }, caption.slice(0, end));
  return [html("details", {}, html("summary", { title: caption }, first, " ", more), caption.slice(end))];
}
