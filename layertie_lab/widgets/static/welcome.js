// What the page is, and the doors to begin by.

function render({ model, el }) {
  const [words, address] = model.get("link");
  const paper = html("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, words);
  const about = html("p", { class: "ll-about" }, `${model.get("about")} `, paper);
  const doors = model.get("doors").map(({ name, title, about }) => {
    const door = html("button", { type: "button", "data-door": name }, html("strong", {}, title), html("span", {}, about));
    door.addEventListener("click", () => model.send({ kind: "enter", name }));
    return door;
  });
  const meanings = Object.entries(model.get("glossary")).flatMap(([word, meaning]) => [html("dt", {}, word), html("dd", {}, meaning)]);
  const glossary = html("details", { class: "ll-glossary" }, html("summary", {}, "Words used here"), html("dl", {}, ...meanings));
  const wrong = html("p", { class: "ll-wrong", role: "alert" });
  const root = html("div", { class: "ll ll-welcome" }, about, html("div", { class: "ll-doors" }, ...doors), wrong, glossary);
  el.append(root);
  const stopTheme = followTheme(root);
  const paint = () => say(wrong, model.get("sentence"));
  const stop = observe(model, ["sentence"], paint);
  paint();
  return () => {
    stop();
    stopTheme();
  };
}
export default { render };
