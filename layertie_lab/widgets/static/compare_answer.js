// What a comparison came to.

class CompareAnswer {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.headline = html("p", { class: "ll-headline", role: "status" });
    this.where = html("p", { class: "ll-where" });
    this.selects = { other: this.select("other", "Show"), first: this.select("first", "against") };
    for (const [name, { words, values }] of Object.entries(model.get("choices"))) {
      this.selects[name] = this.select(name, words, Object.entries(values));
    }
    this.line = html("div", { class: "ll-line" }, ...Object.values(this.selects).map((select) => select.parentElement));
    this.left = html("ul", { class: "ll-left" });
    this.known = html("summary", {});
    this.notes = html("ul", {});
    this.more = html("details", {}, this.known, this.notes);
    this.shown = html("div", { class: "ll-shown" }, this.line, this.left, this.more);
    root.append(this.headline, this.where, this.shown);
    this.repaint = oncePerFrame(() => this.paint());
    this.paint();
  }

  get = (name) => this.model.get(name);

  select(name, words, values = []) {
    const select = html("select", { "data-choice": name }, ...values.map(([value, said]) => html("option", { value }, said)));
    select.addEventListener("change", () => this.model.send({ kind: "choose", name, value: select.value, sent: now() }));
    html("label", {}, html("span", {}, words), select);
    return select;
  }

  /** The groups that a choice may name. */
  offer(select, labels, chosen) {
    const there = [...select.options].map((option) => option.value);
    if (JSON.stringify(there) !== JSON.stringify(labels)) {
      select.replaceChildren(...labels.map((label) => html("option", { value: label }, label)));
    }
    select.value = chosen;
  }

  paint() {
    const [labels, first, other] = [this.get("groups"), this.get("first"), this.get("other")];
    say(this.headline, this.get("headline"));
    say(this.where, this.get("busy") ? "Reading the runs." : this.get("where"));
    set(this.headline, { "data-alarm": this.get("alarm") ? "" : null, "data-told": this.get("told") || null });
    set(this.shown, { style: labels.length || this.get("left_out").length ? null : "display: none" });
    this.offer(this.selects.other, labels.filter((label) => label !== first), other);
    this.offer(this.selects.first, labels, first);
    for (const name of ["other", "first"]) set(this.selects[name].parentElement, { hidden: labels.length > 1 && other ? null : "" });
    for (const [name, value] of Object.entries(this.get("chosen"))) {
      this.selects[name].value = value;
      set(this.selects[name].parentElement, { hidden: this.get("offered").includes(name) ? null : "" });
    }
    this.left.replaceChildren(...this.get("left_out").map((sentence) => html("li", {}, sentence)));
    const notes = this.get("notes");
    set(this.more, { style: notes.length ? null : "display: none" });
    say(this.known, `What to know: ${notes[0] ?? ""}`);
    this.notes.replaceChildren(...notes.slice(1).map((sentence) => html("li", {}, sentence)));
    Object.assign(this.root.dataset, { busy: this.get("busy"), told: this.get("told"), groups: labels.length });
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-compare-answer", ...KEYS_STAY_HERE });
  el.append(root);
  const answer = new CompareAnswer(model, root);
  const stopTheme = followTheme(root);
  const names = ["headline", "told", "where", "alarm", "busy", "groups", "first", "other", "chosen", "offered", "left_out", "notes"];
  const stop = observe(model, names, answer.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
