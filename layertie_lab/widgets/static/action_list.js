// The actions for the layer at hand, with the agent's values of them.

const LEAST_SCALE = 0.001; // a value that is written as 0.000 is no full bar
const TENTH = 1.2816; // standard deviations that a normal value is above its mean in one case of ten

class ActionList {
  constructor(panel) {
    this.panel = panel;
    this.answers = [];
    this.focused = 0;
    this.list = html("div", { class: "ll-answers", role: "group", "aria-label": "Actions for the layer at hand" });
    this.list.addEventListener("keydown", (event) => this.press(event));
    this.below = html("span", { class: "ll-below", "aria-hidden": "true" });
    this.box = html("div", { class: "ll-answer-box" }, this.list, this.below);
    this.list.addEventListener("scroll", () => this.paintBelow());
    new ResizeObserver(() => this.paintBelow()).observe(this.list);
    this.key = html("p", { class: "ll-key" });
  }

  get = (name) => this.panel.get(name);

  /** The actions in places that stay for the whole run: on its own first, then the layers in their order. */
  places() {
    const [layer, legal] = [this.get("layer"), this.get("legal")];
    return legal.includes(layer) ? [layer, ...legal.filter((source) => source !== layer)] : legal;
  }

  /** The values against that of the present tie, by source, and how far their intervals reach; null where the agent has none. */
  worths() {
    const [legal, values] = [this.get("legal"), this.get("q_values")];
    if (!legal.length || values.length !== legal.length) return null;
    const kept = legal.indexOf(this.get("present"));
    const base = kept < 0 ? 0 : values[kept];
    const doubts = this.get("q_deviations");
    // A deviation is that of the bar only where the present tie's own value is certain.
    const sure = doubts.length === legal.length && kept >= 0 && doubts[kept] === 0;
    const of = (at) => ({ mean: values[at] - base, reach: sure ? TENTH * doubts[at] : null });
    const worths = new Map(legal.map((source, at) => [source, of(at)]));
    const most = Math.max(...[...worths.values()].map(({ mean, reach }) => Math.abs(mean) + (reach ?? 0)));
    // One scale for a sweep over the layers, and for all pages of a run: bars of two decisions can be compared.
    this.most = Math.max(LEAST_SCALE, this.get("q_scale"), most);
    return worths;
  }

  paint() {
    const layer = this.get("layer");
    const places = this.places();
    while (this.answers.length < places.length) this.answers.push(this.makeAnswer(this.answers.length));
    const shown = this.answers.slice(0, places.length);
    if (this.list.children.length !== shown.length) this.list.replaceChildren(...shown.map((answer) => answer.button));
    // A box where there is more in it than is in sight at once.
    set(this.list, { "data-many": places.length > 6 ? "" : null });
    set(this.list, { "data-none": places.length ? null : "The actions for a layer appear here." });
    const worths = this.worths();
    this.focused = Math.min(this.focused, Math.max(0, places.length - 1));
    const running = this.panel.shownStatus() === "running";
    shown.forEach((answer, at) => this.paintAnswer(answer, places[at], { layer, worths, running, focused: at === this.focused }));
    const many = this.list.scrollHeight > this.list.clientHeight + 4 ? ` (${places.length}, scroll)` : "";
    const free = this.get("can_act") && !this.panel.silent;
    const offer = free ? `Press one to take it in the agent's place${many}. ` : many && `${places.length} actions, scroll. `;
    const chance = this.get("epsilon") === null ? "" : " Epsilon: chance of a random draw.";
    const line = worths && [...worths.values()].some(({ reach }) => reach > 0) ? " Line: 80 % interval." : "";
    const bars = worths ? `Bar: its value (Q), whole at ${inThousandths(this.most)}; 0 keeps the present tie.${line}${chance}` : chance;
    say(this.key, places.length ? offer + bars : "");
    if (this.get("asked") !== this.scrolledFor) this.scrollToProposed(shown);
    this.paintBelow();
  }

  /** How many actions stand below what is in sight, where the box has no bar that says so. */
  paintBelow() {
    const end = this.list.scrollTop + this.list.clientHeight;
    const hidden = [...this.list.children].filter((each) => each.offsetTop + each.offsetHeight / 2 > end).length;
    say(this.below, hidden ? `${hidden} more ▾` : "");
  }

  paintAnswer(answer, source, { layer, worths, running, focused }) {
    const [proposed, present] = [source === this.get("proposed"), source === this.get("present")];
    const chosen = source === this.get("choice");
    const legal = this.get("legal").indexOf(source);
    const worth = worths?.get(source);
    const known = worth !== undefined;
    const [mean, reach] = [worth?.mean ?? 0, worth?.reach ?? 0];
    const words = source === layer ? "on its own" : `tie to ${source}`;
    const whose = this.get("by") === "human" ? "yours" : "taken";
    answer.source = source;
    say(answer.words, words);
    say(answer.tags, [chosen && whose, proposed && !(chosen && whose === "taken") && "agent's", present && (known ? "now: 0" : "now")].filter(Boolean).join(", "));
    say(answer.worth, known && !present ? signed(mean) : "");
    const percent = (value) => (known ? (50 * value) / this.most : 0);
    const share = percent(Math.abs(mean));
    const fill = this.colour(this.get("owners")[legal] ?? source);
    set(answer.bar, { x: `${(mean < 0 ? 50 - share : 50).toFixed(1)}%`, width: `${share.toFixed(1)}%`, fill });
    set(answer.doubt, { x: `${(50 + percent(mean - reach)).toFixed(1)}%`, width: `${(2 * percent(reach)).toFixed(1)}%` });
    set(answer.picture, { style: known ? null : "visibility: hidden" });
    set(answer.button, {
      "data-proposed": proposed ? "" : null,
      "data-chosen": chosen ? "" : null,
      "data-source": source,
      tabindex: focused ? 0 : -1,
      "aria-label": [
        source === layer ? `Train layer ${layer} on its own` : `Tie layer ${layer} to layer ${source}`,
        known && `value ${inThousandths(this.get("q_values")[legal])}`,
        reach > 0 && `80 % interval ${signed(mean - reach)} to ${signed(mean + reach)}`,
        chosen && (whose === "yours" ? "your action" : "the action taken"),
        proposed && "the agent's action",
        present && "as it is now",
      ].filter(Boolean).join(", "),
    });
    allow(answer.button, this.get("can_act") && !this.panel.silent, running ? "Pause the run to answer yourself" : "No answer is awaited");
  }

  /** Bring the agent's action into view, without moving the page; not while a person is in the list. */
  scrollToProposed(shown) {
    this.scrolledFor = this.get("asked");
    const answer = shown.find((answer) => answer.source === this.get("proposed"));
    if (!answer || this.list.contains(this.list.getRootNode().activeElement)) return;
    // By whole rows, as few as bring all of it into sight.
    const first = shown[0].button.offsetTop;
    const end = answer.button.offsetTop + answer.button.offsetHeight;
    const row = shown.find(({ button }) => end - button.offsetTop <= this.list.clientHeight) ?? answer;
    this.list.scrollTop = row.button.offsetTop - first;
  }

  makeAnswer(at) {
    const words = html("span", {});
    const tags = html("span", { class: "ll-tags" });
    const worth = html("span", { class: "ll-worth" });
    const bar = svg("rect", { height: "100%" });
    const track = svg("rect", { class: "ll-track", width: "100%", height: "100%", rx: 3 });
    const zero = svg("rect", { class: "ll-zero", x: "50%", width: 1, height: "100%" });
    const button = html("button", { type: "button", class: "ll-answer" }, words, worth);
    const doubt = svg("rect", { class: "ll-doubt", y: "2", height: "2" });
    const picture = svg("svg", { "aria-hidden": "true" }, track, bar, zero, doubt);
    button.append(picture, tags);
    const answer = { button, words, tags, worth, bar, doubt, picture };
    button.addEventListener("focus", () => (this.focused = at));
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") this.panel.answer(answer.source, button);
    });
    return answer;
  }

  colour(owner) {
    const palette = this.get("palette");
    return palette[owner % palette.length];
  }

  press(event) {
    const last = this.list.children.length - 1;
    const moves = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -last, End: last };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.focused = Math.max(0, Math.min(last, this.focused + moves[event.key]));
    this.paint();
    this.answers[this.focused].button.focus();
  }
}

/** A difference with its sign, and a digit more where three decimals would say nothing of it. */
function signed(value) {
  const small = Math.abs(value) >= 0.00005 && Math.abs(value) < 0.001;
  const words = small ? value.toFixed(4) : inThousandths(value);
  return value > 0 && words !== "0.000" ? `+${words}` : words;
}

function allow(button, allowed, reason = null) {
  set(button, { "aria-disabled": allowed ? "false" : "true", title: allowed ? null : reason });
}
