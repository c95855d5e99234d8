// The bar that filters the runs and chooses the colours, and the legend.

const FEW = 24; // values of a column that are offered as a choice
const MANY = 300; // runs; with more, the filter waits until the reader has stopped typing

function filterBar() {
  const bar = document.getElementById("filter");
  const words = document.getElementById("words");
  const clear = document.getElementById("clear");
  const selects = new Map();
  let waiting = null;
  const act = () => {
    state.words = words.value;
    redraw();
  };
  words.placeholder = `Filter: ${example()}`;
  words.addEventListener("input", () => {
    clearTimeout(waiting);
    if (data.count > MANY) waiting = setTimeout(act, 150);
    else act();
  });
  clear.addEventListener("click", clearFilter);
  const line = bar.querySelector(".choices");
  for (const c of data.columns.filter(
    (each) => (each.part === "config" && each.shown) || each.name === "state" || each.name === "study",
  )) {
    const found = [...distinct(c), ...(c.values.includes(null) ? [null] : [])];
    if (found.length < 2 || found.length > FEW) continue;
    const options = [
      ["", "any"],
      ...found.map((value) => [JSON.stringify(value), value === null ? "none" : write(c, value)]),
    ];
    const label = choice(c.label, options, "", (value) => {
      if (value) state.choices.set(c.name, value);
      else state.choices.delete(c.name);
      redraw();
    });
    selects.set(c.name, label.querySelector("select"));
    line.append(label);
  }
  const codings = [
    ["group", "group"],
    ...data.columns
      .filter((c) => (c.part === "config" || c.part === "metric" || c.part === "cost") && distinct(c).length > 1)
      .map((c) => [c.name, c.label]),
    ["state", "state"],
  ];
  const colour = choice("Colour by", codings, state.colour, (name) => {
    state.colour = name;
    recolour();
  });
  colour.classList.add("colour");
  line.append(colour);
  const chips = el("span", { class: "chips" });
  line.append(chips);

  redraws.push(() => {
    document.getElementById("count").textContent =
      visible.length === data.count
        ? plural(data.count, "run")
        : `${visible.length.toLocaleString("en-US")} of ${plural(data.count, "run")}`;
    clear.hidden = !isFiltered();
    if (words.value !== state.words && document.activeElement !== words) words.value = state.words;
    for (const [name, select] of selects) select.value = state.choices.get(name) ?? "";
    chips.replaceChildren(
      ...[...state.ranges].map(([name, { rangeText }]) =>
        chip(`${columns.get(name).label}: ${rangeText}`, () => state.ranges.delete(name)),
      ),
      ...(state.group === null
        ? []
        : [
            chip(data.groups.names[state.group], () => {
              state.group = null;
            }),
          ]),
    );
  });
}

// A filter that the runs of this page have a meaning for, as in 'softmax test_accuracy>0.9'.
function example() {
  const word = data.groups.keys[0]?.find((key) => typeof key === "string") ?? "word";
  const ranked = columns.get(data.metric);
  if (!ranked) return word;
  const values = distinct(ranked);
  const middle = write(ranked, values[Math.floor(values.length / 2)]);
  return `${word} ${ranked.label}${ranked.better === "lower" ? "<" : ">"}${middle}`;
}

function chip(text, drop) {
  const act = () => {
    drop();
    redraw();
  };
  return el(
    "button",
    { type: "button", class: "chip", onclick: act, "aria-label": `Remove the filter ${text}` },
    text,
    el("span", { "aria-hidden": "true" }, " ×"),
  );
}

function legend() {
  const place = document.getElementById("legend");
  redraws.push(() => {
    const { entries, scale: range } = coding;
    if (range) {
      const { column: of, low, high } = range;
      place.replaceChildren(
        el(
          "span",
          { class: "entry" },
          of.label,
          el("span", {}, write(of, low)),
          el("span", { class: "ramp" }),
          el("span", {}, write(of, high)),
        ),
      );
      return;
    }
    const named = entries.slice(0, LOOKS.length).map(({ name, look, group }) => {
      if (group === undefined) return el("span", { class: "entry" }, symbol(look), name);
      const pressed = String(state.group === group);
      const attributes = { type: "button", class: "entry", "aria-pressed": pressed, onclick: () => focusGroup(group) };
      return el("button", attributes, symbol(look), name);
    });
    const more = entries.length - LOOKS.length;
    if (more > 0) named.push(el("span", { class: "entry" }, symbol(OTHERS), `${more} more`));
    place.replaceChildren(...named);
  });
}
