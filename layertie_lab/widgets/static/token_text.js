// Text as its tokens, coloured by a number each; a click or Enter picks one.

class TokenText {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.tokens = new Map(); // "sequence token" -> element
    this.title = html("h3", {});
    this.legend = html("p", { class: "ll-legend-line" });
    this.body = html("div", { class: "ll-sequences" });
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    root.append(this.title, this.legend, this.body, this.sentence);
    this.body.addEventListener("click", (event) => this.pick(event.target.closest("[data-token]")));
    this.body.addEventListener("keydown", (event) => this.press(event));
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  paint() {
    const sequences = this.get("sequences");
    const key = JSON.stringify([this.get("largest"), this.get("legend")]);
    if (sequences !== this.shown || key !== this.shownKey) this.build(sequences, key);
    const picked = this.get("picked").join(" ");
    for (const [place, element] of this.tokens) set(element, { "data-picked": place === picked ? "" : null });
    // The way in by the keyboard; afterwards the keyboard stays where it is.
    if (!this.tokens.has(this.focus)) this.focusOn(this.tokens.has(picked) ? picked : this.tokens.keys().next().value, false);
    say(this.title, this.get("title"));
    say(this.sentence, this.get("sentence"));
    this.title.hidden = this.legend.hidden = sequences.length === 0;
    this.root.dataset.tokens = this.tokens.size;
    this.root.dataset.picked = picked;
  }

  build(sequences, key) {
    [this.shown, this.shownKey] = [sequences, key];
    const kept = this.body.contains(this.root.getRootNode().activeElement) ? this.focus : undefined;
    this.tokens.clear();
    this.focus = undefined;
    const largest = this.get("largest");
    const rows = sequences.map(({ pieces, values, tips }, sequence) => {
      const tokens = pieces.map((piece, token) => {
        const value = values[token] ?? null;
        const element = html("span", { class: "ll-token", "data-token": token, "data-sequence": sequence, tabindex: -1, role: "button" }, piece);
        element.style.backgroundColor = shade(value, largest);
        const tip = tips[token] ?? (value === null ? "" : inWords(value));
        if (tip) element.title = tip;
        this.tokens.set(`${sequence} ${token}`, element);
        return element;
      });
      return html("div", { class: "ll-sequence" }, html("span", { class: "ll-number" }, sequences.length > 1 ? String(sequence) : ""), html("p", {}, ...tokens));
    });
    this.body.replaceChildren(...rows);
    if (this.tokens.has(kept)) this.focusOn(kept, true);
    const swatch = (value) => {
      const box = html("span", { class: "ll-swatch" });
      box.style.backgroundColor = shade(value, largest);
      return box;
    };
    const negative = sequences.some(({ values }) => values.some((value) => value !== null && value < 0));
    const ends = negative ? [swatch(-largest), `\u2212${inWords(largest)} to 0 to ${inWords(largest)}`, swatch(largest)] : [swatch(0), `0 to ${inWords(largest)}`, swatch(largest)];
    this.legend.replaceChildren(...ends, html("span", {}, this.get("legend")));
  }

  pick(element) {
    if (!element) return;
    const [sequence, token] = [Number(element.dataset.sequence), Number(element.dataset.token)];
    this.focusOn(`${sequence} ${token}`, true);
    this.model.send({ kind: "pick", sequence, token });
  }

  press(event) {
    const keys = [...this.tokens.keys()];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      const at = Math.max(0, Math.min(keys.length - 1, keys.indexOf(this.focus) + step));
      this.focusOn(keys[at], true);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.pick(this.tokens.get(this.focus));
    }
  }

  focusOn(place, move) {
    this.tokens.get(this.focus)?.setAttribute("tabindex", -1);
    this.focus = place;
    const element = this.tokens.get(place);
    element?.setAttribute("tabindex", 0);
    if (move) element?.focus();
  }
}

/** A colour for a number: orange below zero, purple above, the stronger the farther; text stays readable on it. */
function shade(value, largest) {
  if (value === null || !Number.isFinite(value)) return "transparent";
  const strength = Math.min(1, Math.abs(value) / largest);
  return value < 0 ? `rgba(230, 110, 10, ${(0.62 * strength).toFixed(3)})` : `rgba(130, 90, 200, ${(0.62 * strength).toFixed(3)})`;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-tokens", ...KEYS_STAY_HERE });
  el.append(root);
  const text = new TokenText(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["sequences", "largest", "title", "legend", "picked", "sentence"], text.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
