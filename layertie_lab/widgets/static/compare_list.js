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
    this.rows = new Map();
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
    this.keep(entries.map((entry) => this.row(entry, chosen.includes(entry.id))));
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

  /**
   * Put the rows in their order. A row is made once: the list is told anew while it is read and ticked, and what lies
   * under the pointer must not be another element by the time that the button comes up.
   */
  keep(rows) {
    const there = new Set(rows);
    for (const [id, kept] of this.rows) {
      if (there.has(kept.row)) continue;
      kept.row.remove();
      this.rows.delete(id);
    }
    if (rows.every((row, at) => this.body.children[at] === row)) return;
    const focused = this.root.getRootNode().activeElement;
    this.body.replaceChildren(...rows);
    if (focused?.dataset?.key) focused.focus();
  }

  row(entry, on) {
    if (!this.rows.has(entry.id)) this.rows.set(entry.id, this.made(entry.id));
    const kept = this.rows.get(entry.id);
    const told = JSON.stringify(entry);
    if (kept.told !== told) {
      kept.told = told;
      this.fill(kept, entry);
    }
    kept.box.checked = on;
    set(kept.row, { "data-chosen": on ? "" : null });
    return kept.row;
  }

  made(id) {
    const box = html("input", { type: "checkbox", "data-key": `box ${id}` });
    box.addEventListener("change", () => this.send("choose", { entry: id, on: box.checked }));
    const word = html("span", { class: "ll-word" });
    const kind = html("small", { class: "ll-kind" });
    const who = html("span", { class: "ll-who" }, word, " ", kind);
    who.addEventListener("click", () => !box.disabled && box.click());
    const damage = html("span", { class: "ll-damage" });
    const state = html("span", {});
    const goOn = html("button", { type: "button", class: "ll-go-on", "data-key": `on ${id}` }, "Go on");
    goOn.addEventListener("click", () => this.send("resume", { entry: id }));
    const parts = { name: [who, damage], state: [state, " "] };
    const cells = Object.fromEntries(
      COLUMNS.map(([column]) => [column, html("td", { class: `ll-${column}` }, ...(parts[column] ?? []))]),
    );
    const row = html("tr", { "data-entry": id }, html("td", {}, box), ...Object.values(cells));
    return { row, box, word, kind, damage, state, goOn, cells, told: "" };
  }

  fill({ row, box, word, kind, damage, state, goOn, cells }, entry) {
    set(box, { "aria-label": `Compare ${entry.name}` });
    box.disabled = !entry.can_choose;
    say(word, entry.name);
    say(kind, entry.kind === "run" ? "" : entry.kind);
    set(kind, { hidden: entry.kind === "run" ? "" : null });
    say(damage, entry.note ?? "");
    set(damage, { hidden: entry.note ? null : "" });
    say(state, entry.state);
    if (entry.can_resume) cells.state.append(goOn);
    else goOn.remove();
    const done = entry.budget && entry.budget !== entry.decisions ? `${entry.decisions} of ${entry.budget}` : String(entry.decisions);
    const words = { decisions: entry.decisions === null ? "" : done, loss: entry.loss === null ? "" : entry.loss.toFixed(3) };
    for (const column of ["policy", "corpus", "seed", "decisions", "loss"]) say(cells[column], words[column] ?? String(entry[column] ?? ""));
    for (const column of ["policy", "name"]) set(cells[column], { title: String(entry[column] ?? "") });
    set(row, { "data-state": entry.state });
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
