// The runs, how their values are written and ordered, and the elements that show them.
// Texts come from run folders, which may be a stranger's: they reach the page as text nodes and attributes only.

const data = JSON.parse(document.getElementById("data").textContent);
const columns = new Map(data.columns.map((column) => [column.name, column]));
const everyRun = Array.from({ length: data.count }, (_, run) => run);
const ABSENT = "–";

function valueOf(name, run) {
  return columns.get(name).values[run];
}

// The column that a person means: by its name, without `metrics.`, or by what stands above it.
function column(name) {
  return columns.get(name) ?? columns.get(`metrics.${name}`) ?? data.columns.find((each) => each.label === name);
}

// -- values as text ---------------------------------------------------------------------------------------------------

const WRITERS = {
  text: String,
  number: (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value)),
  short: (value) => String(Number.isSafeInteger(value) ? value : Number(value.toPrecision(3))),
  integer: (value) => value.toLocaleString("en-US"),
  metric: (value, digits = 4) => {
    const size = Math.abs(value);
    const small = digits > 0 && size < 10 ** (1 - digits);
    if (size > 0 && (small || size >= 1e6)) return value.toExponential(2);
    return value.toFixed(size >= 100 ? Math.min(digits, 1) : digits);
  },
  seconds: duration,
  moment: (value) => age(Date.now() / 1000 - value),
};

function written(kind, value, digits) {
  return value === null || value === undefined ? ABSENT : WRITERS[kind](value, digits);
}

// A value of a column, a series or an objective, which says how it is written.
function write(of, value) {
  return written(of.kind ?? "metric", value, of.digits);
}

function duration(seconds) {
  if (seconds < 60) return `${seconds < 9.95 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function age(seconds) {
  for (const [length, name] of [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ]) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${name}`;
  }
  return "now";
}

function moment(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function pValue(value) {
  return value === null ? ABSENT : value < 0.001 ? "<0.001" : value.toFixed(3);
}

// A spread or a difference, with the decimals of the values that it is about.
function spread(of, value) {
  const fits = of.kind === "metric" && value >= 0.5 * 10 ** -of.digits && value < 100;
  return fits ? value.toFixed(of.digits) : write(of, value);
}

function signed(of, value) {
  return value === null ? ABSENT : (value < 0 ? "−" : "+") + spread(of, Math.abs(value));
}

function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

// A text without its middle where it is too long, since names differ at their ends.
function shortened(text, most) {
  const kept = Math.max(2, Math.floor(most) - 1);
  return text.length > kept + 1 ? `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(-Math.floor(kept / 2))}` : text;
}

// -- order ------------------------------------------------------------------------------------------------------------

const collator = new Intl.Collator("en", { numeric: true });

// Numbers before texts, both in order; what is missing comes last in either direction.
function inOrder(a, b, descending) {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return noA - noB;
  const numbers = (typeof a === "number") + (typeof b === "number");
  let order;
  if (numbers === 1) order = typeof a === "number" ? -1 : 1;
  else order = numbers ? a - b : collator.compare(String(a), String(b));
  return descending ? -order : order;
}

// -- elements ---------------------------------------------------------------------------------------------------------

function fill(node, attributes, children) {
  for (const [name, given] of Object.entries(attributes ?? {})) {
    if (given === null || given === undefined || given === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), given);
    else if (name.startsWith("--")) node.style.setProperty(name, given);
    else node.setAttribute(name, given === true ? "" : given);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function choice(label, options, chosen, change) {
  const select = el("select", { onchange: () => change(select.value), "aria-label": label });
  select.append(...options.map(([key, text]) => el("option", { value: key }, text)));
  select.value = chosen;
  return el("label", { class: "choice" }, el("span", {}, label), select);
}

// Buttons of which one is pressed.
function segments(label, options, chosen, change) {
  const buttons = options.map(([key, text]) =>
    el("button", { type: "button", "aria-pressed": String(key === chosen), onclick: () => press(key) }, text),
  );
  function press(key) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(options[i][0] === key)));
    change(key);
  }
  return el("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

function tick(label, on, change) {
  const box = el("input", { type: "checkbox", checked: on, onchange: () => change(box.checked) });
  return el("label", { class: "tick" }, box, label);
}

// A head cell with a button that sorts.
function head(label, attributes, sorted, click) {
  const arrow = sorted === null ? "" : sorted ? "↓" : "↑";
  return el(
    "th",
    { scope: "col", "aria-sort": sorted === null ? "none" : sorted ? "descending" : "ascending", ...attributes },
    el(
      "button",
      { type: "button", onclick: click },
      label,
      el("span", { class: "arrow", "aria-hidden": "true" }, arrow),
    ),
  );
}
