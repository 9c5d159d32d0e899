// Where a run stands, in one line.

const SIGNS = [
  ["Decision", (get) => `${get("decision")}${get("budget") ? ` of ${get("budget")}` : ""}`, (get) => `Decisions with an outcome. ${get("glossary").decision}`],
  [
    "Validation loss",
    (get) => (get("loss") === null ? "not yet" : get("loss").toFixed(3)),
    (get) => (get("loss") === null ? "" : `nats per token, measured after decision ${get("evaluated")}`),
  ],
  ["Owners", (get) => (get("owners") === null ? "–" : `${get("owners")} of ${get("layers")}`), (get) => get("glossary").owner],
  ["Parameters", (get) => (get("share") === null ? "–" : `${(100 * get("share")).toFixed(0)} %`), () => "trainable, in percent of the untied model"],
  [
    "Memory saved",
    (get) => (get("saved") === null ? "–" : inBytes(get("saved"))),
    (get) => (get("held") === null ? "" : `weights, gradients and optimizer state take ${inBytes(get("held"))}; untied they would take ${inBytes(get("held") + get("saved"))}`),
  ],
];

function inBytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  for (; bytes >= 1000 && at < units.length - 1; at++) bytes /= 1000;
  return `${at && bytes < 10 ? bytes.toFixed(1) : bytes.toFixed(0)} ${units[at]}`;
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  const cells = SIGNS.map(([words]) => ({ term: html("dt", {}, words), value: html("dd", {}) }));
  const list = html("dl", {}, ...cells.map(({ term, value }) => html("div", {}, term, value)));
  const root = html("div", { class: "ll ll-signs" }, list);
  el.append(root);
  const paint = () =>
    SIGNS.forEach(([, value, about], at) => {
      say(cells[at].value, value(get));
      set(cells[at].value.parentElement, { title: about(get) });
    });
  paint();
  const stopTheme = followTheme(root);
  const names = ["decision", "budget", "loss", "evaluated", "owners", "layers", "share", "held", "saved"];
  const stop = observe(model, names, oncePerFrame(paint));
  return () => {
    stop();
    stopTheme();
  };
}
export default { render };
