// The runs of the page and those that are shown, and how their values are written and ordered.

const page = JSON.parse(document.getElementById("data").textContent);
const held = page.studies.flatMap(({ sets }) => sets); // every run is in one of them
let data = null; // the set of runs that is shown: one of a study, or of all studies together
let columns = new Map();
let everyRun = [];
const ABSENT = "–";

// Shows a set of runs. One of all studies has its values in the sets of the studies.
function use(set) {
  data = set;
  columns = new Map(set.columns.map((column) => [column.name, column]));
  everyRun = Array.from({ length: set.count }, (_, run) => run);
  for (const column of set.columns) column.values ??= everyRun.map((run) => heldValue(column.name, run));
}

function heldValue(name, run) {
  const [of, place] = heldAt(run);
  return of.columns.find((column) => column.name === name)?.values[place] ?? null;
}

// The set of a study that holds a run which is shown, and its place there.
function heldAt(run) {
  return data.from ? [held[data.from[run][0]], data.from[run][1]] : [data, run];
}

// What is recorded of a run by itself: one of "folders", "errors", "histories" and "predictions".
function recorded(name, run) {
  const [of, place] = heldAt(run);
  return of[name][place];
}

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
  number: (value) => (typeof value === "number" ? inDigits(value, 6) : String(value)),
  short: (value) => inDigits(value, 3),
  integer: (value) => value.toLocaleString("en-US"),
  metric: (value, digits = 4) => {
    const size = Math.abs(value);
    const small = digits > 0 && size < 10 ** (1 - digits);
    if (size > 0 && (small || size >= 1e6)) return value.toExponential(2);
    return fixed(value, size >= 100 ? Math.min(digits, 1) : digits);
  },
  seconds: duration,
  moment: (value) => age(Date.now() / 1000 - value),
};

// A number with so many decimals, as Python writes it: of two that are equally near, the one with an even last digit.
function fixed(value, digits) {
  const text = value.toFixed(digits);
  const isHalf = (further) => value.toFixed(digits + further).endsWith("5".padEnd(further, "0"));
  const isTie = isHalf(6) && isHalf(50); // the first is fast, the second certain
  return isTie && Number(text.at(-1)) % 2 ? (value * (1 - Number.EPSILON)).toFixed(digits) : text;
}

function written(kind, value, digits) {
  return value === null || value === undefined ? ABSENT : WRITERS[kind](value, digits);
}

// A value of a column, a series or an objective, which says how it is written.
function write(of, value) {
  return written(of.kind ?? "metric", value, of.digits);
}

// A number with so many significant digits, but a whole one, such as a seed, as it is.
function inDigits(value, digits) {
  return String(Number.isSafeInteger(value) ? value : Number(value.toPrecision(digits)));
}

function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
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

// A text that reads like a number as that number: a column of numbers and other values has them as texts.
function asNumber(value) {
  return typeof value === "string" && value.trim() && Number.isFinite(Number(value)) ? Number(value) : value;
}

// Numbers before texts, both in order; what is missing comes last in either direction.
function inOrder(left, right, descending) {
  const [a, b] = [asNumber(left), asNumber(right)];
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return noA - noB;
  const numbers = (typeof a === "number") + (typeof b === "number");
  let order;
  if (numbers === 1) order = typeof a === "number" ? -1 : 1;
  else order = numbers ? a - b : collator.compare(String(a), String(b));
  return descending ? -order : order;
}
