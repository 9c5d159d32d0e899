// The text of a new run: pasted, sent as a file or chosen; its column; and what a run would read of it.

class OwnText {
  /** `send(kind, values)` gives the number of the message; `answered(number)` tells when it was acted on. */
  constructor(model, send) {
    this.model = model;
    this.send = send;
    this.waiting = new Map(); // number of a message -> what is called with whether it was taken
    this.column = html("select", { "data-path": "text.column" });
    this.column.addEventListener("change", () => send("change", { path: "text.column", value: this.column.value }));
    this.columnField = html("label", { class: "ll-column", hidden: "" }, html("span", { class: "ll-label" }, "Column"), this.column);
    this.columnWrong = html("span", { class: "ll-wrong", role: "alert" });
    this.paste = this.button("Paste a text", () => this.unfold());
    set(this.paste, { "aria-expanded": "false" });
    this.file = html("input", { type: "file", class: "ll-hidden", tabindex: -1, "aria-hidden": "true" });
    this.file.addEventListener("change", () => this.file.files.length && this.bring(this.file.files[0], this.file.files[0].name));
    this.choose = this.button("Upload a file", () => this.file.click());
    this.limit = html("span", { class: "ll-soft" });
    this.area = html("textarea", { rows: 6, "aria-label": "The text", placeholder: "Paste or type the text here", ...KEYS_STAY_HERE });
    this.use = this.button("Use this text", () => this.usePasted());
    this.box = html("div", { class: "ll-paste", hidden: "" }, this.area, this.use);
    this.progress = html("progress", { max: 1, hidden: "", "aria-label": "Sent so far" });
    this.wrong = html("span", { class: "ll-wrong", role: "alert" });
    const line = html("div", { class: "ll-line" }, this.paste, this.choose, this.file, this.progress, this.limit);
    this.card = html("div", { class: "ll-preview" });
    this.status = html("p", { class: "ll-status-line", role: "status" });
    this.head = html("pre", { tabindex: 0, "aria-label": "How the text begins" });
    this.facts = html("dl", {});
    this.splits = html("table", {});
    this.notes = html("div", { class: "ll-notes" });
    this.known = html("div", { class: "ll-known" }, html("div", {}, html("h4", {}, "How it begins"), this.head), html("div", {}, this.facts, this.splits));
    this.card.append(this.status, this.known, this.notes);
    this.element = html("div", { class: "ll-own" }, line, this.box, this.wrong, this.columnField, this.columnWrong, this.card);
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files?.[0];
      if (file) this.bring(file, file.name);
    });
    this.busy = false;
  }

  get = (name) => this.model.get(name);

  button(words, pressed) {
    const button = html("button", { type: "button" }, words);
    button.addEventListener("click", pressed);
    return button;
  }

  unfold(open = this.box.hidden) {
    this.box.hidden = !open;
    set(this.paste, { "aria-expanded": open });
    if (open) this.area.focus();
  }

  async usePasted() {
    if (!this.area.value.trim()) return this.refuse("Expected some text, but there is none. Paste or type it above.");
    // What was pasted stays where it is until it has been taken.
    const text = this.area.value;
    if (!(await this.bring(new Blob([text]), "pasted.txt"))) return;
    this.used = text;
    this.unfold(false);
  }

  /** Whether a text lies in the box that nobody has used yet; says so. A run would train on another one. */
  isUnused() {
    if (this.box.hidden || !this.area.value.trim() || this.area.value === this.used) return false;
    this.refuse("Your text above is not used yet. Press Use this text first, or empty the box to train on the one that is chosen.");
    this.use.focus();
    return true;
  }

  refuse(sentence) {
    this.refused = sentence;
    say(this.wrong, sentence);
    return false;
  }

  /** Send a file in pieces. Gives whether it was taken. */
  async bring(blob, name) {
    const [most, piece] = this.get("limits");
    const mine = (this.bringing = Symbol(name));
    this.refuse("");
    this.file.value = "";
    if (!blob.size) return this.refuse(`Expected some text, but ${name} is empty. Choose another file.`);
    if (blob.size > most) {
      return this.refuse(`Expected a file of at most ${most / 1e6} MB, but ${name} has ${(blob.size / 1e6).toFixed(1)} MB. Choose a part of it, or put it on the machine that this page runs on and give its path.`);
    }
    this.busy = true;
    this.progress.hidden = false;
    let good = true;
    try {
      for (let at = 0; good && at < blob.size; at += piece) {
        this.progress.value = at / blob.size;
        const data = await inBase64(blob.slice(at, at + piece));
        if (mine !== this.bringing) return false; // another one was chosen meanwhile
        good = await this.said("upload", { name, size: blob.size, at, data });
      }
    } catch (error) {
      good = this.refuse(`Expected to read ${name}, but the browser says: ${error.message}. Choose it again.`);
    }
    if (mine === this.bringing) {
      this.busy = false;
      this.progress.hidden = true;
      this.changed?.();
    }
    return good;
  }

  said(kind, values) {
    return new Promise((resolve) => this.waiting.set(this.send(kind, values), resolve));
  }

  answered(number, good) {
    this.waiting.get(number)?.(good);
    this.waiting.delete(number);
  }

  paint() {
    const [most] = this.get("limits");
    say(this.limit, `UTF-8 text, CSV, TSV, JSON lines or Parquet, up to ${most / 1e6} MB; or drop a file here`);
    if (!this.refused || this.get("upload_problem")) say(this.wrong, this.get("upload_problem"));
    this.paintColumn();
    this.paintPreview();
  }

  paintColumn() {
    const columns = this.get("columns");
    const key = JSON.stringify(columns);
    if (key !== this.columnsKey) {
      this.columnsKey = key;
      const options = columns.map(([name, sample, isText]) => html("option", { value: name, disabled: isText ? null : "" }, isText ? `${name}: ${sample.slice(0, 60)}` : `${name} (no text)`));
      this.column.replaceChildren(...options);
    }
    const chosen = this.get("fields").find((field) => field.path === "text.column")?.value ?? "";
    if (columns.length && chosen && ![...this.column.options].some((option) => option.value === chosen)) {
      this.column.append(html("option", { value: chosen }, chosen));
    }
    this.column.value = chosen;
    this.columnField.hidden = !columns.length && !chosen;
    say(this.columnWrong, this.get("text_problems")["text.column"] ?? this.get("problems")["text.column"] ?? "");
    set(this.column, { "aria-invalid": this.columnWrong.textContent ? "true" : null });
  }

  paintPreview() {
    const preview = this.get("preview");
    const known = Boolean(preview.facts);
    const reading = Boolean(preview.reading);
    this.card.hidden = !known && !reading;
    set(this.card, { "data-reading": reading ? "" : null, "aria-busy": reading });
    say(this.status, reading ? preview.said || "Reading the text ..." : "What a run would read");
    this.known.hidden = !known;
    const key = JSON.stringify(preview);
    if (!known || key === this.shownKey) return;
    this.shownKey = key;
    say(this.head, preview.head);
    this.facts.replaceChildren(...preview.facts.flatMap(([name, words]) => [html("dt", {}, name), html("dd", {}, words)]));
    const repeats = preview.splits.some(([, , , words]) => words);
    const titles = ["split", "tokens", "share", ...(repeats ? ["of it in train"] : [])];
    const head = html("tr", {}, ...titles.map((words) => html("th", { scope: "col" }, words)));
    const rows = preview.splits.map(([split, ...cells]) => html("tr", {}, html("th", { scope: "row" }, split), ...cells.slice(0, titles.length - 1).map((words) => html("td", {}, words))));
    this.splits.replaceChildren(html("thead", {}, head), html("tbody", {}, ...rows));
    this.notes.replaceChildren(...preview.notes.map((note) => html("p", {}, note)));
  }
}

async function inBase64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
