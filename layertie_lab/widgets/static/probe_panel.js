// On what one looks inside a run, and against which other model.

const SEQUENCES = [4, 8, 16, 32, 64];

class ProbePanel {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    root.append(html("div", { class: "ll-line" }, this.probe(), this.others()));
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  button(words, title, pressed) {
    const button = html("button", { type: "button", title, "aria-label": title }, words);
    button.addEventListener("click", pressed);
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
    return html("details", { "data-fold": "probe" }, html("summary", { title: this.get("glossary")["probe set"] }, "Probe set: ", this.source), controls, typed, this.wrong, this.warning, this.list);
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
    return html("details", { "data-fold": "other" }, html("summary", {}, "Another model to compare with: ", this.otherWords), controls, this.otherWrong);
  }

  askProbe(sequences, text) {
    this.model.send({ kind: "probe", sequences, text });
  }

  paint() {
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
  const root = html("div", { class: "ll ll-probe", ...KEYS_STAY_HERE });
  el.append(root);
  const panel = new ProbePanel(model, root);
  const stopTheme = followTheme(root);
  const names = ["source", "sequences", "pieces", "typed", "warning", "problem"];
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
