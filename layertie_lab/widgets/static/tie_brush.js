// A brush over the tie map: drag over several layers (or Shift and an arrow key) to act on all of them.
// The actions wait until their layers are at hand; the agent acts on the layers between.

class TieBrush {
  /** picture: the TieMapPicture; it calls paint() when it has drawn itself. */
  constructor(picture) {
    this.picture = picture;
    this.range = null;
    this.from = null;
    this.words = html("span", { class: "ll-brush-words" });
    this.choice = html("select", { "aria-label": "Action for these layers" });
    this.go = html("button", { type: "button", class: "ll-brush-go" }, "Act when asked");
    this.no = html("button", { type: "button" }, "Forget");
    this.go.addEventListener("click", () => this.give());
    this.no.addEventListener("click", () => this.forget());
    this.element = html("div", { class: "ll-brush", role: "group" }, this.words, this.choice, this.go, this.no);
    this.element.hidden = true;
    this.frame = svg("rect", { class: "ll-brush-frame", rx: 8 });
    this.waiting = svg("g", { class: "ll-brush-waiting" });
    document.addEventListener("pointerup", (this.released = () => (this.from = null)));
  }

  end() {
    document.removeEventListener("pointerup", this.released);
  }

  pressed(layer) {
    this.from = layer;
  }

  entered(layer) {
    if (this.from === null || layer === this.from) return;
    this.choose(this.from, layer);
  }

  /** Shift and an arrow key: from the focused layer on. */
  extend(focused, next) {
    const [first, last] = this.range ?? [focused, focused];
    const anchor = focused === last ? first : last;
    this.choose(anchor, next);
  }

  choose(one, other) {
    // Layer 0 is never asked about: it has no earlier layer to copy.
    const [first, last] = [Math.max(1, Math.min(one, other)), Math.max(one, other)];
    if (last < first || !this.picture.get("can_brush")) return;
    this.range = [first, last];
    const options = [
      ["before", "tie each to the layer before it"],
      ["own", "train each on its own"],
      ...Array.from({ length: first + 1 }, (_, n) => [n, n === first ? `tie all to layer ${n}, their first` : `tie all to layer ${n}`]),
    ];
    const before = this.choice.value;
    this.choice.replaceChildren(...options.map(([value, words]) => html("option", { value }, words)));
    if (options.some(([value]) => String(value) === before)) this.choice.value = before;
    this.picture.repaint();
  }

  give() {
    const [first, last] = this.range;
    const answers = {};
    for (let layer = first; layer <= last; layer++) {
      const kind = this.choice.value;
      answers[layer] = kind === "own" ? layer : kind === "before" ? layer - 1 : Number(kind);
    }
    this.range = null;
    this.picture.model.send({ kind: "ahead", answers, sent: now() });
    this.picture.repaint();
  }

  forget() {
    if (this.range === null) this.picture.model.send({ kind: "ahead", answers: {}, sent: now() });
    this.range = null;
    this.picture.repaint();
  }

  paint() {
    const picture = this.picture;
    const waiting = picture.get("ahead");
    const queued = Object.keys(waiting).map(Number);
    const layers = picture.blocks.length;
    const range = this.range && this.range[1] < layers ? this.range : null;
    this.element.hidden = !range && !queued.length;
    for (const part of [this.choice, this.go]) part.hidden = !range;
    set(this.frame, { display: range ? null : "none" });
    if (range) {
      const left = picture.centre(range[0]) - picture.size / 2 - 6;
      const right = picture.centre(range[1]) + picture.size / 2 + 6;
      set(this.frame, { x: left, width: right - left, y: MAP.arcs - 7, height: MAP.block + 14 });
      say(this.words, range[0] === range[1] ? `Layer ${range[0]}:` : `Layers ${range[0]} to ${range[1]}:`);
    } else if (queued.length) {
      const list = queued.map((layer) => (waiting[layer] === layer ? `${layer} on its own` : `${layer} to ${waiting[layer]}`));
      say(this.words, `Your actions that wait until their layer is asked about: ${list.join(", ")}.`);
    }
    const inside = queued.filter((layer) => layer < layers);
    this.waiting.replaceChildren(
      ...inside.map((layer) => svg("path", { class: "ll-override", d: diamond(picture.centre(layer), MAP.arcs + MAP.block, 4) })),
    );
    picture.root.dataset.ahead = queued.join(" ");
  }
}
