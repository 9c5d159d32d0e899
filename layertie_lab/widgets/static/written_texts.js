// Texts that models wrote, side by side, with what differs marked.

class WrittenTexts {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.sentences = html("div", { class: "ll-said" });
    this.columns = html("div", { class: "ll-columns" });
    root.append(this.sentences, this.columns);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  paint() {
    const [sentences, texts] = [this.model.get("sentences"), this.model.get("texts")];
    this.sentences.replaceChildren(...sentences.map((sentence) => html("p", {}, sentence)));
    this.columns.replaceChildren(...texts.map((text) => this.column(text)));
    this.root.dataset.texts = texts.length;
  }

  /** Each part for itself: a character that turns the direction of what follows turns nothing beyond it. */
  column({ title, given, text, differs }) {
    const parts = [html("bdi", { class: "ll-given" }, given), html("bdi", {}, text)];
    // Said, too, to somebody who hears it.
    if (differs) parts.push(html("mark", {}, html("span", { class: "ll-hidden" }, " [from here on it differs] "), differs));
    const heads = title ? [html("h3", {}, title)] : [];
    return html("section", {}, ...heads, html("pre", { tabindex: 0 }, ...parts));
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-written", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new WrittenTexts(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["sentences", "texts"], panel.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
