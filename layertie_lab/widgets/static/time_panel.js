// Which moment of a run is looked at.

class TimePanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.waiting = null;
    this.slider = html("input", { type: "range", step: 1, min: 0, "aria-label": "Decision to look at" });
    this.number = html("input", { type: "number", step: 1, min: 0, "aria-label": "Decision to look at" });
    this.back = this.button("\u25c0", "The stored decision before", () => this.move(this.neighbour(-1)));
    this.on = this.button("\u25b6", "The stored decision after", () => this.move(this.neighbour(1)));
    this.now = this.button("Now", "Look at the latest, and move on with the run", () => this.move(null));
    this.about = html("p", { class: "ll-sentence", role: "status" });
    this.slider.addEventListener("input", () => this.move(this.nearest(Number(this.slider.value))));
    this.number.addEventListener("input", () => (this.typing = true));
    this.number.addEventListener("blur", () => (this.typing = false));
    this.number.addEventListener("change", () => {
      this.typing = false;
      if (this.number.value !== "") this.move(this.nearest(Number(this.number.value)));
    });
    // One up or down would mostly be nearest to the decision that one comes from.
    this.slider.addEventListener("keydown", (event) => this.step(event, { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }));
    this.number.addEventListener("keydown", (event) => this.step(event, { ArrowDown: -1, ArrowUp: 1 }));
    const moment = html("span", { class: "ll-moment" }, "Look at decision", this.number, this.back, this.slider, this.on, this.now);
    root.append(html("div", { class: "ll-line" }, moment, this.about));
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  button(words, title, pressed) {
    const button = html("button", { type: "button", title, "aria-label": title }, words);
    button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && pressed());
    return button;
  }

  get = (name) => this.model.get(name);

  nearest(wanted) {
    const stored = this.get("stored");
    if (!stored.length || Number.isNaN(wanted)) return null;
    return stored.reduce((best, found) => (Math.abs(found - wanted) < Math.abs(best - wanted) ? found : best));
  }

  neighbour(direction) {
    const stored = this.get("stored");
    const at = stored.indexOf(this.get("decision")) + direction;
    return stored[Math.max(0, Math.min(stored.length - 1, at))] ?? null;
  }

  step(event, directions) {
    if (!(event.key in directions)) return;
    event.preventDefault();
    this.typing = false;
    this.move(this.neighbour(directions[event.key]));
  }

  /** Ask for a moment; of several in a frame the last. */
  move(decision) {
    if (decision === undefined) return;
    this.sent = now();
    if (this.waiting === null) {
      requestAnimationFrame(() => {
        this.model.send({ kind: "move", decision: this.waiting.decision });
        this.waiting = null;
      });
    }
    this.waiting = { decision };
    if (decision !== null) say(this.about, `Decision ${decision} ...`);
  }

  paint() {
    const [stored, decision] = [this.get("stored"), this.get("decision")];
    const last = stored.at(-1) ?? 0;
    for (const input of [this.slider, this.number]) {
      set(input, { max: last });
      input.disabled = stored.length === 0;
      if (this.waiting === null && !(input === this.number && this.typing)) input.value = decision ?? 0;
    }
    set(this.back, { "aria-disabled": decision === null || decision === stored[0] ? "true" : "false" });
    set(this.on, { "aria-disabled": decision === null || decision === last ? "true" : "false" });
    set(this.now, { "aria-disabled": stored.length ? "false" : "true", "data-pressed": this.get("follows") && stored.length ? "" : null });
    say(this.about, this.get("about"));
    this.root.dataset.decision = decision ?? "";
    this.root.dataset.follows = this.get("follows");
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-time", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new TimePanel(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["stored", "decision", "follows", "about"], panel.repaint);
  model.on("msg:custom", panel.repaint);
  return () => {
    stop();
    model.off("msg:custom", panel.repaint);
    stopTheme();
  };
}

export default { render };
