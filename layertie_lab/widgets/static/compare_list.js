// What can be compared: a table with boxes that sorts by each column.

const COLUMNS = [
  ["name", "Run or sweep"], ["policy", "Policy"], ["corpus", "Text"], ["seed", "Seed"], ["decisions", "Decisions"],
  ["loss", "Loss (nats)"], ["state", "State"],
];
const NUMBERS = ["decisions", "loss"];
/** Milliseconds until the list is asked for again while something in it goes on, and somebody looks. */
const AGAIN = 4000;

class CompareList {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.by = "";
    this.down = false;
    this.folds = model.get("folded");
    this.offer = html("button", { type: "button", class: "ll-main ll-offer" }, model.get("offer"));
    this.offer.addEventListener("click", () => this.send("offer"));
    this.count = html("span", { class: "ll-count" });
    this.clear = html("button", { type: "button", class: "ll-clear" }, "Choose none");
    this.clear.addEventListener("click", () => this.send("clear"));
    this.sentence = html("p", { class: "ll-sentence", role: "status" });
    this.heads = COLUMNS.map(([name, words]) => {
      const button = html("button", { type: "button", "data-sort": name }, words);
      button.addEventListener("click", () => this.sort(name));
      return html("th", { scope: "col", class: `ll-${name}` }, button);
    });
    const head = html("tr", {}, html("th", { scope: "col" }, html("span", { class: "ll-hidden" }, "Chosen")), ...this.heads);
    this.body = html("tbody", {});
    this.table = html("table", {}, html("thead", {}, head), this.body);
    this.empty = html("p", { class: "ll-empty" });
    const scroll = html("div", { class: "ll-scroll", tabindex: "0", role: "region", "aria-label": "What can be compared" });
    scroll.append(this.table, this.empty);
    this.fold = html("details", { open: "" }, html("summary", {}, "What can be compared"), scroll);
    root.append(html("div", { class: "ll-line" }, this.offer, this.count, this.clear), this.fold, this.sentence);
    this.repaint = oncePerFrame(() => this.paint());
    // Asked for whenever it comes into sight: runs and sweeps go on meanwhile.
    this.seer = new IntersectionObserver((seen) => {
      this.inSight = seen.at(-1).isIntersecting;
      if (this.inSight) this.send("list");
    });
    this.seer.observe(root);
    this.clock = setInterval(() => this.inSight && !document.hidden && this.goesOn() && this.send("list"), AGAIN);
    this.paint();
  }

  get = (name) => this.model.get(name);

  send(kind, more = {}) {
    this.model.send({ kind, ...more, sent: now() });
  }

  goesOn() {
    return this.get("entries").some((entry) => entry.running);
  }

  sort(name) {
    this.down = this.by === name && !this.down;
    this.by = name;
    this.paint();
  }

  sorted() {
    const entries = [...this.get("entries")];
    if (!this.by) return entries;
    const value = (entry) => entry[this.by];
    const missing = (entry) => value(entry) === null || value(entry) === "";
    entries.sort((a, b) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      const order = NUMBERS.includes(this.by)
        ? value(a) - value(b)
        : String(value(a)).localeCompare(String(value(b)), undefined, { numeric: true });
      return this.down ? -order : order;
    });
    return entries;
  }

  paint() {
    const [entries, chosen, offer] = [this.sorted(), this.get("chosen"), this.get("offer")];
    if (this.get("folded") !== this.folds) {
      this.folds = this.get("folded");
      this.fold.open = false;
    }
    const focused = this.root.getRootNode().activeElement?.dataset?.key;
    this.body.replaceChildren(...entries.map((entry) => this.row(entry, chosen.includes(entry.id))));
    if (focused) [...this.body.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus();
    this.heads.forEach((head, at) => {
      const here = COLUMNS[at][0] === this.by;
      set(head, { "aria-sort": here ? (this.down ? "descending" : "ascending") : null });
    });
    set(this.table, { style: entries.length ? null : "display: none" });
    set(this.empty, { hidden: entries.length ? "" : null });
    say(this.empty, this.get("ready") ? "There is no run here yet. Train one, run a sweep, or see what ships." : "Looking for runs.");
    set(this.offer, { hidden: offer ? null : "", class: chosen.length ? "ll-offer" : "ll-main ll-offer" });
    say(this.offer, offer);
    say(this.count, chosen.length ? this.chosenInWords(entries, chosen) : "Tick what is to be compared.");
    set(this.clear, { hidden: chosen.length ? null : "" });
    say(this.sentence, this.get("sentence"));
    set(this.sentence, { "data-alarm": this.get("alarm") ? "" : null });
    Object.assign(this.root.dataset, { entries: entries.length, chosen: chosen.length, ready: this.get("ready") });
  }

  /** How many lines are chosen, and how many runs stand behind them where those are more. */
  chosenInWords(entries, chosen) {
    const behind = entries.filter((entry) => chosen.includes(entry.id)).map((entry) => entry.runs ?? 1);
    const runs = behind.reduce((sum, count) => sum + count, 0);
    // A line that is chosen before the list has been read is not in it.
    if (behind.length < chosen.length || runs === chosen.length) return `${chosen.length} chosen`;
    return `${counted(chosen.length, "line")} chosen, ${counted(runs, "run")}`;
  }

  row(entry, on) {
    const box = html("input", { type: "checkbox", "data-key": `box ${entry.id}`, "aria-label": `Compare ${entry.name}` });
    box.checked = on;
    box.disabled = !entry.can_choose;
    box.addEventListener("change", () => this.send("choose", { entry: entry.id, on: box.checked }));
    const name = html("span", { class: "ll-who" }, html("span", { class: "ll-word" }, entry.name));
    if (entry.kind !== "run") name.append(" ", html("small", { class: "ll-kind" }, entry.kind));
    name.addEventListener("click", () => !box.disabled && box.click());
    const cells = {
      name: [name],
      decisions: [entry.budget && entry.budget !== entry.decisions ? `${entry.decisions} of ${entry.budget}` : String(entry.decisions)],
      loss: [entry.loss === null ? "" : entry.loss.toFixed(3)],
      state: [entry.state],
    };
    if (entry.can_resume) {
      const button = html("button", { type: "button", class: "ll-go-on", "data-key": `on ${entry.id}` }, "Go on");
      button.addEventListener("click", () => this.send("resume", { entry: entry.id }));
      cells.state.push(" ", button);
    }
    if (entry.note) cells.name.push(html("span", { class: "ll-damage" }, entry.note));
    const columns = COLUMNS.map(([column]) => {
      const parts = cells[column] ?? [String(entry[column] ?? "")];
      const cell = html("td", { class: `ll-${column}` }, ...parts);
      if (column === "policy" || column === "name") set(cell, { title: String(entry[column] ?? "") });
      return cell;
    });
    const row = html("tr", { "data-entry": entry.id, "data-state": entry.state }, html("td", {}, box), ...columns);
    set(row, { "data-chosen": on ? "" : null });
    return row;
  }

  close() {
    this.seer.disconnect();
    clearInterval(this.clock);
  }
}

function render({ model, el }) {
  const root = html("div", { class: "ll ll-compare-list", ...KEYS_STAY_HERE });
  el.append(root);
  const list = new CompareList(model, root);
  const stopTheme = followTheme(root);
  const stop = observe(model, ["entries", "chosen", "ready", "offer", "folded", "sentence", "alarm"], list.repaint);
  return () => {
    stop();
    stopTheme();
    list.close();
  };
}

export default { render };
