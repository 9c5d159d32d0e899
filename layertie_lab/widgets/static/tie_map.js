// The tie map as a picture: layers in a row, one colour per owner, an arc from each tied layer to its source.
// A click on a block while a layer is at hand acts on it; nothing else leaves the widget.

const MAP = { edge: 8, arcs: 84, block: 34, under: 39, pitch: 12, widest: 72 };

class TieMapPicture {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.blocks = [];
    this.focused = 0;
    this.preview = null;
    this.width = 0;
    this.say = html("p", { class: "ll-say", "aria-live": "polite" });
    this.picture = svg("svg", { role: "group" });
    this.legend = html("ul", { class: "ll-legend" });
    this.signs = html("details", { class: "ll-signs-key" }, html("summary", {}, "What the signs mean"), this.legend);
    const scroll = (this.scroll = html("div", { class: "ll-scroll" }, this.picture));
    this.history = new TieHistory(model);
    this.brush = new TieBrush(this);
    root.append(this.say, scroll, this.brush.element, this.history.element, this.signs);
    this.picture.addEventListener("keydown", (event) => this.press(event));
    this.resizer = new ResizeObserver(() => this.resize(scroll.clientWidth));
    this.resizer.observe(scroll);
    this.repaint = oncePerFrame(() => this.paint());
    this.width = scroll.clientWidth || 600;
    this.build();
  }

  get = (name) => this.model.get(name);

  resize(width) {
    if (!width || Math.abs(width - this.width) < 1) return;
    this.width = width;
    this.place();
    this.history.resize(width);
  }

  /** Make the elements for the present number of layers. */
  build() {
    this.differed = false;
    this.followed = null;
    const layers = this.get("sources").length;
    this.blocks = [];
    this.arcs = [];
    this.picture.replaceChildren();
    for (let layer = 0; layer < layers; layer++) {
      this.arcs.push(svg("path", { class: "ll-arc" }));
      this.blocks.push(this.block(layer));
    }
    this.asked = svg("path", { class: "ll-asked" });
    this.drawn = svg("path", { class: "ll-preview" });
    this.target = svg("rect", { class: "ll-target", rx: 8 });
    this.hand = svg("path", { class: "ll-hand-mark" });
    this.handText = svg("text", {});
    const parts = this.blocks.map((block) => block.group);
    this.picture.append(...this.arcs, this.asked, ...parts, this.target, this.drawn, this.hand, this.handText);
    this.picture.append(this.brush.frame, this.brush.waiting);
    this.focused = Math.min(this.focused, Math.max(0, layers - 1));
    this.place();
  }

  block(layer) {
    const ring = svg("rect", { class: "ll-ring", rx: 9 });
    const body = svg("rect", { class: "ll-body", rx: 5 });
    const copy = svg("rect", { class: "ll-copy", rx: 3, "pointer-events": "none" });
    const number = svg("text", { "pointer-events": "none" });
    const stored = svg("rect", { rx: 2 });
    const mark = svg("path", { class: "ll-override" });
    const group = svg("g", { class: "ll-block", role: "button" }, ring, body, copy, number, stored, mark);
    group.dataset.layer = layer;
    group.addEventListener("click", () => this.answer(layer));
    group.addEventListener("pointerdown", () => this.brush.pressed(layer));
    group.addEventListener("pointerenter", () => {
      this.point(layer);
      this.brush.entered(layer);
    });
    group.addEventListener("pointerleave", () => this.point(null));
    group.addEventListener("focus", () => {
      this.focused = layer;
      this.point(layer);
    });
    group.addEventListener("blur", () => this.point(null));
    return { group, ring, body, copy, number, stored, mark };
  }

  /** Put everything where it belongs at the present width. */
  place() {
    const layers = this.blocks.length;
    const pitch = Math.max(MAP.pitch, Math.min(MAP.widest, (this.width - 2 * MAP.edge) / Math.max(1, layers)));
    this.pitch = pitch;
    this.size = Math.max(9, Math.min(48, pitch * 0.78));
    const width = Math.max(this.width, pitch * layers + 2 * MAP.edge);
    this.left = MAP.edge + (width - 2 * MAP.edge - pitch * layers) / 2;
    const height = MAP.arcs + MAP.block + MAP.under;
    set(this.picture, { width, height, viewBox: `0 0 ${width} ${height}`, "data-many": pitch < 22 ? "" : null });
    const every = pitch >= 22 ? 1 : 4;
    this.blocks.forEach((block, layer) => {
      const x = this.centre(layer) - this.size / 2;
      set(block.body, { x, y: MAP.arcs, width: this.size, height: MAP.block });
      set(block.ring, { x: x - 4, y: MAP.arcs - 4, width: this.size + 8, height: MAP.block + 8 });
      const inset = Math.min(5, this.size / 4);
      set(block.copy, { x: x + inset, y: MAP.arcs + inset, width: this.size - 2 * inset });
      set(block.copy, { height: MAP.block - 2 * inset });
      const inside = every === 1;
      set(block.number, { x: this.centre(layer), y: inside ? MAP.arcs + 22 : MAP.arcs + MAP.block + 22 });
      say(block.number, layer % every ? "" : String(layer));
      set(block.stored, { x, y: MAP.arcs + MAP.block + 3, width: this.size, height: 5 });
      set(block.mark, { d: diamond(this.centre(layer), MAP.arcs, 6) });
    });
    this.paint();
  }

  centre(layer) {
    return this.left + this.pitch * (layer + 0.5);
  }

  arc(layer, source) {
    const [from, to] = [this.centre(layer), this.centre(source)];
    const rise = 16 + (MAP.arcs - 24) * Math.sqrt(Math.abs(layer - source) / Math.max(1, this.blocks.length - 1));
    const top = MAP.arcs - 3 - (rise * 4) / 3;
    return `M${from},${MAP.arcs - 3}C${from},${top} ${to},${top} ${to},${MAP.arcs - 3}`;
  }

  /** Show the model's state. */
  paint() {
    const sources = this.get("sources");
    if (sources.length !== this.blocks.length) return this.build();
    const owners = ownersOf(sources);
    const stored = this.get("blocks");
    const differs = stored.length === owners.length && stored.some((block, layer) => block !== owners[layer]);
    const [hand, legal] = [this.get("layer"), this.get("can_act") ? this.get("legal") : []];
    const overrides = new Set(this.get("overrides"));
    const palette = this.get("palette");
    const colour = (owner) => palette[owner % palette.length];
    const inside = this.pitch >= 22;
    this.root.dataset.hand = hand ?? "";
    if (this.get("looked") !== this.lookedAt) {
      this.lookedAt = this.get("looked");
      this.history.repaint();
    }
    this.root.dataset.looked = this.lookedAt ?? "";
    this.history.element.hidden = !this.get("with_history");
    this.signs.hidden = !this.get("with_legend");
    this.blocks.forEach((block, layer) => {
      const tied = sources[layer] !== layer;
      set(block.body, { fill: colour(owners[layer]) });
      set(block.copy, { display: tied ? null : "none" });
      set(block.number, { style: inside && !tied ? `fill: ${inkOn(colour(layer))}` : null });
      set(block.stored, { fill: colour(stored[layer] ?? 0), display: differs ? null : "none" });
      set(block.mark, { display: overrides.has(layer) ? null : "none" });
      set(block.group, {
        "data-hand": layer === hand ? "" : null,
        "data-legal": legal.includes(layer) ? "" : null,
        "data-off": legal.length && !legal.includes(layer) ? "" : null,
        "aria-label": this.describe(layer, sources, owners, overrides, legal),
        "aria-disabled": legal.includes(layer) ? "false" : "true",
        tabindex: layer === this.focused ? 0 : -1,
      });
      const arc = this.arcs[layer];
      set(arc, { d: tied ? this.arc(layer, sources[layer]) : null, stroke: colour(owners[layer]) });
      set(arc, { "data-dim": this.preview !== null ? "" : null });
    });
    this.paintHand(hand, legal);
    this.brush.paint();
    set(this.picture, { "aria-label": `Tie map of ${sources.length} layers. Use the arrow keys to move.` });
    // Stays once shown: under some bookkeeping the two agree and disagree by turns, and the page must not jump.
    this.differed ||= differs;
    this.paintLegend(this.differed, overrides.size > 0, hand !== null, this.get("proposed") !== null);
  }

  paintHand(hand, legal) {
    const asked = hand !== null && hand < this.blocks.length;
    const proposed = asked ? this.get("proposed") : null;
    const shown = asked && legal.includes(this.preview) ? this.preview : null;
    set(this.asked, { d: proposed !== null && proposed !== hand ? this.arc(hand, proposed) : null });
    set(this.target, { display: proposed === null ? "none" : null });
    if (proposed !== null) {
      const x = this.centre(proposed) - this.size / 2 - 4;
      set(this.target, { x, y: MAP.arcs - 4, width: this.size + 8, height: MAP.block + 8 });
    }
    set(this.drawn, { d: shown !== null && shown !== hand ? this.arc(hand, shown) : null });
    set(this.hand, { display: asked ? null : "none" });
    set(this.handText, { display: asked ? null : "none" });
    if (asked) {
      const [x, y] = [this.centre(hand), MAP.arcs + MAP.block + 10];
      set(this.hand, { d: `M${x},${y}l7,9h-14z` });
      const half = 54;
      const width = Number(this.picture.getAttribute("width"));
      set(this.handText, { x: Math.max(half, Math.min(width - half, x)), y: y + 22 });
      say(this.handText, `layer ${hand} at hand`);
      this.bringIntoView(hand);
    }
    // What is pointed at must not move away because of the words on it.
    if (shown === null) this.say.style.minHeight = "";
    else if (!this.say.style.minHeight) this.say.style.minHeight = `${this.say.offsetHeight}px`;
    say(this.say, this.sentence(hand, legal, shown));
  }

  /** Where the page is too narrow for the whole map, it follows the layer at hand. */
  bringIntoView(hand) {
    if (hand === this.followed) return;
    this.followed = hand;
    const hidden = this.scroll.scrollWidth - this.scroll.clientWidth;
    if (hidden > 0) this.scroll.scrollLeft = this.centre(hand) - this.scroll.clientWidth / 2;
  }

  sentence(hand, legal, shown) {
    if (shown !== null) {
      return shown === hand ? `Train layer ${hand} on its own` : `Tie layer ${hand} to layer ${shown}`;
    }
    if (this.get("message")) return this.get("message");
    if (!this.blocks.length) return "There is no tie map yet.";
    if (hand === null) return "No layer is at hand.";
    if (!legal.length) return `Layer ${hand} is at hand; its action is taken.`;
    return `Press a block to tie layer ${hand} to it; itself: on its own.`;
  }

  describe(layer, sources, owners, overrides, legal) {
    const tied = sources[layer] !== layer;
    const what = tied ? `tied to layer ${sources[layer]}, uses the parameters of layer ${owners[layer]}` : "independent";
    const who = overrides.has(layer) ? ", set by a person against the agent" : "";
    const hand = this.get("layer");
    if (!legal.includes(layer)) return `Layer ${layer}: ${what}${who}`;
    const act = layer === hand ? `train layer ${hand} on its own` : `tie layer ${hand} to it`;
    return `Layer ${layer}: ${what}${who}. Press Enter to ${act}`;
  }

  paintLegend(differs, overridden, asked, proposed) {
    const key = [differs, overridden, asked, proposed].join();
    if (key === this.legendKey) return;
    this.legendKey = key;
    const means = this.get("glossary");
    const row = (sample, words, title = "") => html("li", title ? { title } : {}, sample, html("span", {}, words));
    const small = (...parts) => svg("svg", { width: 26, height: 16, "aria-hidden": "true" }, ...parts);
    const grey = this.get("palette")[0];
    const rows = [
      row(small(svg("rect", { x: 5, y: 1, width: 14, height: 14, rx: 3, fill: grey })), "filled: independent layer", means.independent),
      row(
        small(
          svg("rect", { x: 5, y: 1, width: 14, height: 14, rx: 3, fill: grey }),
          svg("rect", { x: 8, y: 4, width: 8, height: 8, rx: 2, class: "ll-legend-copy", fill: "var(--ll-face)" }),
        ),
        "hollow: tied, in its owner's colour",
        means.owner,
      ),
      row(small(svg("path", { class: "ll-arc", d: "M3,14C3,0 23,0 23,14", stroke: grey })), "arc: copies that layer"),
      row(
        small(svg("path", { class: "ll-asked", d: "M3,14C3,0 23,0 23,14" })),
        "dashed arc and blue ring: what the agent would do",
      ),
      row(small(svg("path", { class: "ll-override", d: diamond(13, 8, 6) })), "yellow diamond: a person's override", means.override),
    ];
    if (differs) {
      rows.push(
        row(small(svg("rect", { x: 3, y: 6, width: 20, height: 5, fill: grey })), "bar below: whose block it truly uses"),
      );
    }
    this.legend.replaceChildren(...rows);
  }

  point(layer) {
    if (this.preview === layer) return;
    this.preview = layer;
    this.repaint();
  }

  answer(source) {
    const layer = this.get("layer");
    if (!this.get("can_act") || layer === null || !this.get("legal").includes(source)) return;
    this.root.dataset.answered = source;
    this.model.send({ kind: "answer", layer, source, sent: now() });
  }

  press(event) {
    const last = this.blocks.length - 1;
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -last, End: last };
    if (event.key in moves) {
      event.preventDefault();
      const next = Math.max(0, Math.min(last, this.focused + moves[event.key]));
      if (event.shiftKey) this.brush.extend(this.focused, next);
      this.blocks[this.focused].group.setAttribute("tabindex", -1);
      this.focused = next;
      this.blocks[next].group.setAttribute("tabindex", 0);
      this.blocks[next].group.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.answer(this.focused);
    }
  }
}

function diamond(x, y, size) {
  return `M${x},${y - size}l${size},${size}l${-size},${size}l${-size},${-size}z`;
}

/** For each layer the independent layer at the end of its chain of sources. */
function ownersOf(sources) {
  const owners = [];
  sources.forEach((source, layer) => owners.push(source === layer ? layer : owners[source]));
  return owners;
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-map", ...KEYS_STAY_HERE });
  const style = model.get("semantic");
  root.style.setProperty("--ll-agent", style.agent);
  root.style.setProperty("--ll-override", style.override);
  root.style.setProperty("--ll-override-edge", style.override_edge);
  el.append(root);
  const picture = new TieMapPicture(model, root);
  const stopTheme = followTheme(root, () => picture.history.paint());
  const names = ["sources", "blocks", "legal", "layer", "proposed", "can_act", "message", "overrides", "palette"];
  names.push("with_history", "with_legend", "budget", "ahead", "can_brush");
  names.push("looked");
  const stop = observe(model, names, picture.repaint);
  const receive = (message) => picture.history.receive(message);
  model.on("msg:custom", receive);
  model.send({ kind: "ready" });
  return () => {
    stop();
    stopTheme();
    model.off("msg:custom", receive);
    picture.resizer.disconnect();
    picture.brush.end();
  };
}

export default { render };
