// Findings as cards, each with the picture that shows it.

class CardGrid {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.panels = new Map(); // card's place -> its picture
    this.resizer = new ResizeObserver((entries) => {
      for (const { target, contentRect } of entries) {
        const panel = [...this.panels.values()].find((panel) => panel.plot === target);
        if (panel && contentRect.width) panel.resize(Math.floor(contentRect.width));
      }
    });
    this.build();
  }

  // Pictures of cards are not linked along an axis.
  hover() {}
  zoom() {}

  build() {
    this.close();
    this.root.replaceChildren(...this.model.get("cards").map((card, at) => this.card(card, at)));
    this.root.dataset.cards = this.model.get("cards").length;
  }

  card({ title, mark, alarm, lines, shows }, at) {
    const head = html("div", { class: "ll-card-head" }, html("h3", {}, title), html("span", { class: "ll-mark", "data-alarm": alarm ? "" : null }, mark));
    const said = lines.flatMap(([words, sentence]) => [html("dt", {}, words), html("dd", {}, sentence)]);
    const card = html("article", { class: "ll-card" }, head, html("dl", {}, ...said));
    const wanted = this.model.get("pictures")[shows];
    if (!wanted) return card;
    const details = html("details", {}, html("summary", {}, "Show it"));
    details.addEventListener("toggle", () => details.open && this.draw(details, wanted, at));
    card.append(details);
    return card;
  }

  /** Drawn when it is asked for first: eleven charts at once would take a second. */
  draw(details, wanted, at) {
    if (this.panels.has(at)) return;
    const panel = new Panel(this, wanted);
    panel.data = wanted.data;
    this.panels.set(at, panel);
    details.append(panel.element);
    this.make(panel);
    this.resizer.observe(panel.plot);
  }

  make(panel) {
    const rows = { size: (table) => (panel.data[table] ?? []).length, rows: (table) => (panel.data[table] ?? []).map((row) => ({ ...row })) };
    try {
      panel.make(Math.max(200, Math.floor(panel.plot.clientWidth) || 400), this.model.get("themes")[this.root.dataset.theme]);
      panel.update(rows, null);
    } catch (error) {
      panel.plot.replaceChildren(html("p", { class: "ll-wrong" }, `This chart cannot be drawn: ${error.message}`));
    }
  }

  theme() {
    this.panels.forEach((panel) => this.make(panel));
  }

  close() {
    this.resizer.disconnect();
    this.panels.forEach((panel) => panel.view?.finalize());
    this.panels.clear();
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-charts ll-cards" });
  el.append(root);
  const grid = new CardGrid(model, root);
  const stopTheme = followTheme(root, () => grid.theme());
  const stop = observe(model, ["cards", "pictures"], oncePerFrame(() => grid.build()));
  return () => {
    stop();
    stopTheme();
    grid.close();
  };
}
export default { render };
