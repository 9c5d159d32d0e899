// Which moment of a run is looked at, on which probe set, against which other model.

const SEQUENCES = [4, 8, 16, 32, 64];

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
    root.append(html("div", { class: "ll-line" }, moment, this.about), html("div", { class: "ll-line ll-folds" }, this.probe(), this.others()));
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  button(words, title, pressed) {
    const button = html("button", { type: "button", title, "aria-label": title }, words);
    button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && pressed());
    return button;
  }

  probe() {
    this.source = html("span", {});
    this.count = html("select", {}, ...SEQUENCES.map((n) => html("option", { value: n }, `${n} sequences`)));
    this.count.addEventListener("change", () => this.askProbe(Number(this.count.value), ""));
    this.text = html("textarea", { rows: 3, placeholder: "Type or paste a text of your own", ...KEYS_STAY_HERE });
    this.use = this.button("Use this text", "Look at this text", () => this.askProbe(8, this.text.value || " "));
    this.own = this.button("Use the validation set", "Look at the run's validation text again", () => this.askProbe(8, ""));
    this.wrong = html("p", { class: "ll-wrong", role: "alert" });
    this.warning = html("p", { class: "ll-warning" });
    this.list = html("ol", { class: "ll-sequences" });
    const controls = html("div", { class: "ll-line" }, html("label", {}, "From the validation text: ", this.count), this.own);
    const typed = html("div", { class: "ll-line" }, this.text, this.use);
    return html("details", { "data-fold": "probe" }, html("summary", {}, "Probe set: ", this.source), controls, typed, this.wrong, this.warning, this.list);
  }

  others() {
    this.other = html("select", {});
    this.otherNumber = html("select", { "aria-label": "Its decision" });
    const send = () => {
      const decision = this.otherNumber.value === "" ? null : Number(this.otherNumber.value);
      this.model.send({ kind: "other", name: this.other.value, decision });
    };
    this.other.addEventListener("change", () => {
      this.otherNumber.value = "";
      send();
    });
    this.otherNumber.addEventListener("change", send);
    this.otherWords = html("span", {});
    this.otherWrong = html("p", { class: "ll-wrong", role: "alert" });
    const controls = html("div", { class: "ll-line" }, html("label", {}, "Compare with ", this.other), html("label", {}, "after decision ", this.otherNumber));
    return html("details", { "data-fold": "other" }, html("summary", {}, "Similarity with another model: ", this.otherWords), controls, this.otherWrong);
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

  askProbe(sequences, text) {
    this.model.send({ kind: "probe", sequences, text });
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
    this.paintProbe();
    this.paintOther();
  }

  paintProbe() {
    say(this.source, this.get("source") || "none yet");
    const count = this.get("sequences");
    if (count) this.count.value = count;
    set(this.own, { hidden: this.get("typed") ? null : "" });
    const typed = this.get("typed");
    if (typed !== this.shownTyped) {
      this.shownTyped = typed;
      if (typed) this.text.value = typed;
    }
    say(this.wrong, this.get("problem"));
    say(this.warning, this.get("warning"));
    const pieces = this.get("pieces");
    if (pieces !== this.shownPieces) {
      this.shownPieces = pieces;
      this.list.replaceChildren(...pieces.map((piece) => html("li", {}, piece)));
    }
  }

  paintOther() {
    const options = { "": "nothing", ...this.get("others") };
    const key = JSON.stringify([options, this.get("other_stored")]);
    if (key !== this.optionsKey) {
      this.optionsKey = key;
      this.other.replaceChildren(...Object.entries(options).map(([value, words]) => html("option", { value }, words)));
      const stored = this.get("other_stored");
      this.otherNumber.replaceChildren(html("option", { value: "" }, "the latest"), ...stored.map((n) => html("option", { value: n }, n)));
    }
    this.other.value = this.get("other");
    this.otherNumber.value = this.get("other_decision") ?? "";
    this.otherNumber.disabled = !this.get("other");
    const at = this.get("other_decision");
    say(this.otherWords, this.get("other") ? `${options[this.get("other")] ?? ""}${at === null ? "" : ` after decision ${at}`}` : "none");
    say(this.otherWrong, this.get("other_problem"));
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-time", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new TimePanel(model, root);
  const stopTheme = followTheme(root);
  const names = ["stored", "decision", "follows", "about", "source", "sequences", "pieces", "typed", "warning", "problem"];
  names.push("others", "other", "other_stored", "other_decision", "other_problem");
  const stop = observe(model, names, panel.repaint);
  model.on("msg:custom", panel.repaint);
  return () => {
    stop();
    model.off("msg:custom", panel.repaint);
    stopTheme();
  };
}

export default { render };
