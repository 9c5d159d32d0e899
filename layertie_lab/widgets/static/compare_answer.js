// What a comparison came to.

const HEADS = { label: "Group", runs: "Runs", seeds: "Seeds", mean: "Mean [95 %]", difference: "Difference [95 %]", corrected: "p (Holm)" };

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
    const head = html("tr", {}, ...Object.entries(HEADS).map(([name, words]) => html("th", { scope: "col", class: `ll-${name}` }, words)));
    this.body = html("tbody", {});
    this.table = html("div", { class: "ll-scroll", tabindex: "0", role: "region", "aria-label": "Groups" });
    this.table.append(html("table", {}, html("thead", {}, head), this.body));
    this.left = html("ul", { class: "ll-left" });
    this.known = html("summary", {});
    this.notes = html("ul", {});
    this.more = html("details", {}, this.known, this.notes);
    this.shown = html("div", { class: "ll-shown" }, this.line, this.left, this.table, this.more);
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
    const [groups, first, other] = [this.get("groups"), this.get("first"), this.get("other")];
    const labels = groups.map((group) => group.label);
    say(this.headline, this.get("headline"));
    say(this.where, this.get("busy") ? "Reading the runs." : this.get("where"));
    set(this.headline, { "data-alarm": this.get("alarm") ? "" : null, "data-told": this.get("told") || null });
    set(this.shown, { style: groups.length || this.get("left_out").length ? null : "display: none" });
    this.offer(this.selects.other, labels.filter((label) => label !== first), other);
    this.offer(this.selects.first, labels, first);
    for (const name of ["other", "first"]) set(this.selects[name].parentElement, { hidden: labels.length > 1 && other ? null : "" });
    for (const [name, value] of Object.entries(this.get("chosen"))) this.selects[name].value = value;
    this.body.replaceChildren(...groups.map((group) => this.row(group, other)));
    set(this.table, { style: groups.length ? null : "display: none" });
    this.left.replaceChildren(...this.get("left_out").map((sentence) => html("li", {}, sentence)));
    const notes = this.get("notes");
    set(this.more, { style: notes.length ? null : "display: none" });
    say(this.known, `What to know: ${notes[0] ?? ""}`);
    this.notes.replaceChildren(...notes.slice(1).map((sentence) => html("li", {}, sentence)));
    Object.assign(this.root.dataset, { busy: this.get("busy"), told: this.get("told"), groups: groups.length });
  }

  row(group, other) {
    const cells = Object.keys(HEADS).map((name) => html("td", { class: `ll-${name}` }, String(group[name] ?? "")));
    const dot = html("span", { class: "ll-dot", "aria-hidden": "true" });
    dot.style.background = group.colour;
    cells[0].prepend(dot);
    const row = html("tr", { "data-group": group.label, title: group.members }, ...cells);
    set(row, { "aria-current": group.label === other ? "true" : null });
    return row;
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-compare-answer", ...KEYS_STAY_HERE });
  el.append(root);
  const answer = new CompareAnswer(model, root);
  const stopTheme = followTheme(root);
  const names = ["headline", "told", "where", "alarm", "busy", "groups", "first", "other", "chosen", "left_out", "notes"];
  const stop = observe(model, names, answer.repaint);
  return () => {
    stop();
    stopTheme();
  };
}

export default { render };
