// The history of the tie map: decision by layer, in owner colours, kept as runs (a decision changes few layers).

class TieHistory {
  constructor(model) {
    this.model = model;
    this.runs = []; // per layer: [first decision, owner by the map, owner by storage]
    this.overrides = []; // [decision, layer]
    this.last = 0;
    this.view = 1; // which column of a run is shown
    this.hovered = null;
    this.canvas = html("canvas", { role: "slider", tabindex: 0, "aria-orientation": "horizontal" });
    this.foot = html("p", { class: "ll-history-foot" });
    this.choice = html("span", { role: "radiogroup", "aria-label": "Which owner to show" });
    this.choice.append(this.option(1, "as the tie map says"), this.option(2, "as truly stored"));
    const title = html("strong", {}, "History of the map");
    const how = html("span", {}, "a row per layer, a column per decision, in its owner's colour");
    const head = html("div", { class: "ll-history-head" }, title, how, this.choice);
    this.element = html("div", { class: "ll-history" }, head, this.canvas, this.foot);
    this.repaint = oncePerFrame(() => this.paint());
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("click", () => this.hovered && model.send({ kind: "look", decision: this.hovered.decision }));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.canvas.addEventListener("blur", () => this.point(null));
    this.width = 0;
  }

  option(view, words) {
    const name = `ll-${Math.random().toString(36).slice(2)}`;
    const input = html("input", { type: "radio", name: (this.group ??= name), ...(view === 1 && { checked: "" }) });
    input.addEventListener("change", () => {
      this.view = view;
      this.paint();
    });
    return html("label", {}, input, words);
  }

  resize(width) {
    this.width = width;
    this.paint();
  }

  receive(message) {
    if (message.kind !== "history") return;
    if (message.start) {
      this.runs = message.start.map(([owner, block]) => [[0, owner, block]]);
      this.overrides = [];
    }
    for (const [decision, layer, owner, block] of message.changes) {
      this.runs[layer]?.push([decision, owner, block]);
    }
    this.overrides.push(...message.overrides);
    this.last = message.last;
    this.element.dataset.decisions = this.last;
    this.repaint();
  }

  /** The last decision that the axis has room for: the budget, or the next doubling, so that it seldom moves. */
  get room() {
    const budget = this.model.get("budget");
    if (budget && budget >= this.last) return budget;
    let room = budget || 60;
    while (room < this.last) room *= 2;
    return room;
  }

  get rowHeight() {
    return Math.max(2, Math.min(8, Math.floor(112 / Math.max(1, this.runs.length))));
  }

  paint() {
    const layers = this.runs.length;
    const differs = this.runs.some((runs) => runs.some(([, owner, block]) => owner !== block));
    this.choice.hidden = !differs;
    const width = this.width || this.element.clientWidth || 600;
    const height = Math.max(24, layers * this.rowHeight + 10);
    const scale = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.paintRuns(pen, width);
    this.paintOverrides(pen, width);
    const said = this.sentence();
    say(this.foot, said);
    set(this.canvas, {
      "aria-label": `History of ${counted(layers, "layer")} over ${counted(this.last, "decision")}: arrows move, Enter looks back`,
      "aria-valuemin": 0,
      "aria-valuemax": this.last,
      "aria-valuenow": this.hovered?.decision ?? this.model.get("looked") ?? this.last,
      "aria-valuetext": said,
    });
  }

  paintRuns(pen, width) {
    const palette = this.model.get("palette");
    const per = width / (this.room + 1);
    const rows = this.rowHeight;
    pen.globalAlpha = 0.12;
    pen.fillStyle = getComputedStyle(this.element).color;
    pen.fillRect(0, 5, width, this.runs.length * rows);
    pen.globalAlpha = 1;
    this.runs.forEach((runs, layer) => {
      runs.forEach((run, at) => {
        const end = runs[at + 1]?.[0] ?? this.last + 1;
        pen.fillStyle = palette[run[this.view] % palette.length];
        pen.fillRect(run[0] * per, 5 + layer * rows, Math.max(0.5, (end - run[0]) * per), rows - (rows > 4 ? 1 : 0));
      });
    });
    const looked = this.model.get("looked");
    if (looked !== null && looked !== undefined) {
      // What is looked back at: a line through all layers, and a mark above it that no cell hides.
      const x = (looked + 0.5) * per;
      pen.fillStyle = getComputedStyle(this.element).color;
      pen.fillRect(x - 0.75, 0, 1.5, this.runs.length * rows + 10);
      pen.fill(new Path2D(`M${x - 5},0h10l-5,6z`));
    }
    if (this.hovered) {
      pen.strokeStyle = getComputedStyle(this.element).color;
      pen.lineWidth = 1.5;
      pen.strokeRect(this.hovered.decision * per, 0, Math.max(1.5, per), this.runs.length * rows + 10);
    }
  }

  paintOverrides(pen, width) {
    const style = this.model.get("semantic");
    const per = width / (this.room + 1);
    pen.fillStyle = style.override;
    pen.strokeStyle = style.override_edge;
    pen.lineWidth = 1;
    for (const [decision, layer] of this.overrides) {
      const mark = new Path2D(diamond((decision + 0.5) * per, 5 + (layer + 0.5) * this.rowHeight, 4.5));
      pen.fill(mark);
      pen.stroke(mark);
    }
  }

  point(event) {
    if (!event || !this.runs.length) {
      this.hovered = null;
    } else {
      const decision = Math.floor((event.offsetX / this.canvas.clientWidth) * (this.room + 1));
      const layer = Math.floor((event.offsetY - 5) / this.rowHeight);
      const inside = layer >= 0 && layer < this.runs.length && decision <= this.last;
      this.hovered = inside ? { decision, layer } : null;
    }
    this.repaint();
  }

  /** Arrows move over decisions and layers, as the pointer does; Enter is a click. */
  press(event) {
    const { decision, layer } = this.hovered ?? { decision: this.model.get("looked") ?? this.last, layer: 0 };
    const moves = {
      ArrowLeft: [decision - 1, layer], ArrowRight: [decision + 1, layer], PageDown: [decision - 10, layer],
      PageUp: [decision + 10, layer], Home: [0, layer], End: [this.last, layer],
      ArrowUp: [decision, layer - 1], ArrowDown: [decision, layer + 1],
    };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.canvas.click();
    } else if (event.key in moves && this.runs.length) {
      event.preventDefault();
      const [to, at] = moves[event.key];
      const within = (value, most) => Math.max(0, Math.min(most, value));
      this.hovered = { decision: within(to, this.last), layer: within(at, this.runs.length - 1) };
      this.repaint();
    }
  }

  sentence() {
    if (!this.runs.length) return "Nothing has happened yet.";
    if (!this.hovered) {
      const marks = this.overrides.length;
      const people = marks ? ` ${counted(marks, "override")}.` : "";
      const budget = this.model.get("budget");
      const past = budget && this.room > budget ? `, with room past the budget of ${budget}` : "";
      return `Top: layer 0. Left: the start; right: decision ${this.room}${past}.${people}`;
    }
    const { decision, layer } = this.hovered;
    const run = this.runs[layer].findLast(([first]) => first <= decision);
    const owner = run[this.view];
    const when = decision === 0 ? "At the start" : `After decision ${decision}`;
    const what = owner === layer ? "is independent" : `uses the parameters of layer ${owner}`;
    const mark = this.overrides.some(([d, l]) => d === decision && l === layer) ? " (a person's override)" : "";
    return `${when}: layer ${layer} ${what}${mark}.`;
  }
}
