// One setting of a form: its control, what is wrong with it, and its help beside it.

const OTHER = "\u0000other";
const STOPPED_TYPING_MS = 400;
const RULES = [
  ["independent", "Always on their own", "such as 0, -1"],
  ["most-owners", "At most so many own layers", "no limit"],
  ["neighbours", "Ties to the layer before only", ""],
  ["locked", "Keep their source", "such as 3"],
];

/**
 * A row of a form. `tell(row)` is called when its value is news.
 *
 * typing: changed, and not told yet; asking: words are waited for that no list has; told: the last value that left;
 * sent: with which message.
 */
class SettingRow {
  constructor(field, { suggestions, departures, tell }) {
    Object.assign(this, { path: field.path, kind: field.kind, typing: false, tell });
    this.suggestions = suggestions;
    this.label = html("span", { class: "ll-label" }, field.label);
    this.wrong = html("span", { class: "ll-wrong", role: "alert" });
    this.help = html("p", { class: "ll-help" });
    const control = this.control(field);
    this.inputs = control.filter((each) => each.matches("input, select"));
    const tag = this.kind === "rules" ? "div" : "label";
    this.about = html("div", { class: "ll-about" }, this.help, ...this.more(field, departures));
    const kind = suggestions ? "offer" : field.kind;
    this.element = html("div", { class: "ll-field", "data-kind": kind, "data-setting": field.path }, html(tag, {}, this.label, ...control), this.wrong, this.about);
    if (field.main) this.element.title = field.help;
  }

  control(field) {
    const { path, kind } = field;
    if (kind === "rules") return this.rules();
    if (kind === "choice" || this.suggestions) {
      this.input = html("select", {});
      if (this.suggestions) this.offer(this.suggestions);
      else this.input.append(...field.choices.map((choice) => html("option", { value: choice }, choice)));
    } else if (kind === "flag") this.input = html("input", { type: "checkbox" });
    else this.input = html("input", { type: "text", inputmode: kind === "text" ? "text" : "decimal", size: 8 });
    this.prepare(this.input, path);
    if (!this.suggestions) return [this.input];
    this.other = html("input", { type: "text", hidden: "" });
    set(this.other, { "aria-label": `${field.label}: a path, or hf:NAME`, placeholder: "path, or hf:NAME" });
    this.prepare(this.other, path);
    return [this.input, this.other];
  }

  prepare(input, path) {
    set(input, { "data-path": path, autocomplete: "off", spellcheck: "false" });
    if (input.type === "text" && input !== this.other) input.addEventListener("input", () => this.typed());
    input.addEventListener("change", () => this.chosen());
  }

  /** The constraints as controls of their own; together they are one line. */
  rules() {
    this.parts = new Map();
    const parts = RULES.map(([name, words, hint]) => {
      const flag = name === "neighbours";
      const input = html("input", flag ? { type: "checkbox" } : { type: "text", size: 8, placeholder: hint, autocomplete: "off" });
      set(input, { "data-rule": name });
      input.addEventListener("change", () => this.tell(this));
      this.parts.set(name, input);
      return html("label", { class: "ll-rule" }, html("span", {}, words), input);
    });
    return [html("div", { class: "ll-rules-parts" }, ...parts)];
  }

  offer(entries) {
    const groups = new Map();
    const options = entries.map(([value, words, group]) => {
      const option = html("option", { value }, value.includes("/") && words ? words : words ? `${value}: ${words}` : value);
      if (!group) return option;
      if (groups.has(group)) {
        groups.get(group).append(option);
        return null;
      }
      groups.set(group, html("optgroup", { label: group }, option));
      return groups.get(group);
    });
    const chosen = this.input.value;
    this.input.replaceChildren(...options.filter(Boolean), html("option", { value: OTHER }, "another: a path, or hf:NAME"));
    if (this.asking) this.input.value = chosen;
  }

  /** All components that may be chosen, each explained; and the departures that the setting is about. */
  more(field, departures) {
    const parts = [];
    if (field.options.length) {
      this.options = field.options.map(({ name, title, about }) => {
        const button = html("button", { type: "button", class: "ll-option", "data-option": name }, html("strong", {}, name), ` ${title === name ? "" : title}`, html("span", {}, about));
        button.addEventListener("click", () => {
          this.input.value = name;
          this.tell(this);
        });
        return button;
      });
      parts.push(html("details", { class: "ll-options" }, html("summary", {}, `All ${field.options.length} explained`), html("div", { class: "ll-option-list" }, ...this.options)));
    }
    for (const number of field.departures) if (departures[number]) parts.push(departure(departures[number]));
    return parts;
  }

  get value() {
    if (this.kind === "flag") return this.input.checked;
    if (this.kind === "rules") {
      const said = [...this.parts].map(([name, input]) => {
        if (input.type === "checkbox") return input.checked ? name : "";
        return input.value.trim() ? `${name}=${input.value.trim()}` : "";
      });
      return said.filter(Boolean).join("; ");
    }
    return this.other && !this.other.hidden ? this.other.value : this.input.value;
  }

  typed() {
    this.typing = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(this), STOPPED_TYPING_MS);
  }

  chosen() {
    if (this.other) {
      const asks = this.input.value === OTHER;
      const news = asks && this.other.hidden;
      this.other.hidden = !asks;
      if (news) {
        this.asking = true;
        return this.other.focus();
      }
    }
    this.asking = false;
    this.tell(this);
  }

  fill(value) {
    if (this.asking && String(value) === this.told) return; // words are waited for
    this.asking = false;
    this.told = this.kind === "flag" ? value : String(value);
    if (this.kind === "flag") this.input.checked = value;
    else if (this.kind === "rules") this.fillRules(String(value));
    else if (this.other) {
      const offered = [...this.input.options].some((each) => each.value === value);
      this.input.value = offered ? value : OTHER;
      this.other.hidden = offered;
      if (!offered) this.other.value = value;
    } else if (this.input.value !== String(value)) this.input.value = value;
    for (const option of this.options ?? []) set(option, { "aria-pressed": option.dataset.option === value });
  }

  fillRules(line) {
    const said = new Map(line.split(";").map((part) => part.trim().split("=").map((each) => each.trim())));
    for (const [name, input] of this.parts) {
      if (input.type === "checkbox") input.checked = said.has(name);
      else if (input.value.trim() !== (said.get(name) ?? "")) input.value = said.get(name) ?? "";
    }
  }

  paint(field, wrong) {
    this.preset = field.preset;
    say(this.help, field.main ? "" : field.help);
    say(this.wrong, wrong);
    set(this.element, { "data-changed": field.changed && !field.main ? "" : null, "data-wrong": wrong ? "" : null });
    set(this.element, { title: field.main ? field.help : field.changed ? `The preset is ${field.preset || "empty"}.` : null });
    for (const input of this.inputs) set(input, { "aria-invalid": wrong ? "true" : null });
  }
}

function departure([title, paper, code]) {
  const words = (who, said) => html("span", {}, html("strong", {}, who), ` ${said}`);
  return html("details", { class: "ll-departure" }, html("summary", {}, `Departure: ${title}`), html("p", {}, words("The paper:", paper), " ", words("The code:", code)));
}
