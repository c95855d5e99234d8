// The bar that filters the runs and chooses the colours, and the legend.

const FEW = 24; // values of a column that are offered as a choice
const MANY = 300; // runs; with more, the filter waits until the reader has stopped typing

function filterBar() {
  const words = document.getElementById("words");
  const line = document.querySelector("#filter .choices");
  const chips = el("span", { class: "chips" });
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
  document.getElementById("clear").addEventListener("click", clearFilter);
  line.append(...columnChoices(), colourChoice(), chips);
  redraws.push(() => {
    const all = plural(data.count, "run");
    const some = `${visible.length.toLocaleString("en-US")} of ${all}`;
    document.getElementById("count").textContent = visible.length === data.count ? all : some;
    document.getElementById("clear").hidden = !isFiltered();
    if (words.value !== state.words && document.activeElement !== words) words.value = state.words;
    chips.replaceChildren(...rangeChips(), ...groupChips());
  });
}

// A choice for each column of few values.
function columnChoices() {
  const offered = data.columns.filter((c) => (c.part === "config" && c.shown) || ["state", "study", "fold"].includes(c.name));
  return offered.flatMap((c) => {
    const found = [...distinct(c), ...(c.values.includes(null) ? [null] : [])];
    if (found.length < 2 || found.length > FEW) return [];
    const texts = found.map((value) => [JSON.stringify(value), value === null ? "none" : write(c, value)]);
    const label = choice(c.label, [["", "any"], ...texts], "", (value) => {
      if (value) state.choices.set(c.name, value);
      else state.choices.delete(c.name);
      redraw();
    });
    redraws.push(() => {
      label.querySelector("select").value = state.choices.get(c.name) ?? "";
    });
    return [label];
  });
}

function colourChoice() {
  const telling = data.columns.filter((c) => ["config", "metric", "cost"].includes(c.part) && distinct(c).length > 1);
  const codings = [["group", "group"], ...telling.map((c) => [c.name, c.label]), ["state", "state"]];
  const colour = choice("Colour by", codings, state.colour, (name) => {
    state.colour = name;
    recolour();
  });
  colour.classList.add("colour");
  return colour;
}

function rangeChips() {
  return [...state.ranges].map(([name, { rangeText }]) =>
    chip(`${columns.get(name).label}: ${rangeText}`, () => state.ranges.delete(name)),
  );
}

function groupChips() {
  if (state.group === null) return [];
  const drop = () => {
    state.group = null;
  };
  return [chip(data.groups.names[state.group], drop)];
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
