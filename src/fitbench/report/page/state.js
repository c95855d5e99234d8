// Which runs pass the filter, which one is selected, and in which colours runs and groups are drawn.

const state = {
  words: "",
  choices: new Map(), // column name -> the value, as JSON, that runs must have
  ranges: new Map(), // column name -> test of a run, set by dragging along an axis
  group: null,
  colour: "group",
  selected: null,
  hovered: null,
};
let visible = everyRun;
const recolours = []; // called when the colours change
const redraws = []; // called when other runs pass the filter, and when the colours change
const marks = []; // called when another run is selected or pointed at

function redraw() {
  visible = everyRun.filter(passes());
  redraws.forEach((act) => act());
  mark();
}

function recolour() {
  encode();
  recolours.forEach((act) => act());
  redraw();
}

function mark() {
  marks.forEach((act) => act());
}

function select(run) {
  state.selected = run;
  mark();
  showDetail();
}

function hover(run) {
  if (state.hovered === run) return;
  state.hovered = run;
  mark();
}

function focusGroup(group) {
  state.group = state.group === group ? null : group;
  redraw();
}

// -- the filter -------------------------------------------------------------------------------------------------------

const COMPARISON = /^([^<>=!]+)(<=|>=|!=|=|<|>)(.+)$/;
const TESTS = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
  "=": (order) => order === 0,
  "!=": (order) => order !== 0,
};

function passes() {
  const tests = state.words.split(/\s+/).filter(Boolean).map(wordTest);
  for (const [name, wanted] of state.choices) tests.push((run) => JSON.stringify(valueOf(name, run)) === wanted);
  for (const test of state.ranges.values()) tests.push(test);
  if (state.group !== null) tests.push((run) => data.groups.of[run] === state.group);
  return (run) => tests.every((test) => test(run));
}

function wordTest(word) {
  const [, name, operator, wanted] = COMPARISON.exec(word) ?? [];
  const compared = name && column(name);
  if (!compared) return (run) => searched(run).includes(word.toLowerCase());
  const limit = compared.kind === "text" || Number.isNaN(Number(wanted)) ? wanted : Number(wanted);
  return (run) => {
    const found = compared.values[run];
    if (found === null) return false;
    const order =
      typeof limit === "number" && typeof found === "number" ? found - limit : collator.compare(found, limit);
    return TESTS[operator](order);
  };
}

const searchTexts = [];

function searched(run) {
  searchTexts[run] ??= data.columns
    .filter((c) => c.kind === "text" || c.part === "config")
    .map((c) => (c.values[run] === null ? "" : String(c.values[run])))
    .join("\n")
    .toLowerCase();
  return searchTexts[run];
}

function isFiltered() {
  return state.words.trim() !== "" || state.choices.size > 0 || state.ranges.size > 0 || state.group !== null;
}

function clearFilter() {
  state.words = "";
  state.choices.clear();
  state.ranges.clear();
  state.group = null;
  redraw();
}

// -- colours ----------------------------------------------------------------------------------------------------------

const COLOURS = 8; // as many as stay apart for the colour-blind; what comes after them is grey
const SHAPES = [
  "M0,-4.5A4.5,4.5 0 1 1 0,4.5A4.5,4.5 0 1 1 0,-4.5Z",
  "M-4,-4H4V4H-4Z",
  "M0,-5.2L5,3.8H-5Z",
  "M0,-5.6L5.6,0L0,5.6L-5.6,0Z",
  "M0,5.2L5,-3.8H-5Z",
  "M-1.7,-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
  "M-5,-2.4L-2.4,-5L0,-2.6L2.4,-5L5,-2.4L2.6,0L5,2.4L2.4,5L0,2.6L-2.4,5L-5,2.4L-2.6,0Z",
  "M0,-5.6L1.6,-1.8L5.6,-1.6L2.5,1L3.5,5L0,2.8L-3.5,5L-2.5,1L-5.6,-1.6L-1.6,-1.8Z",
];
const DASHES = ["", "6 3", "2 2.5", "9 3 2 3", "", "6 3", "2 2.5", "9 3 2 3"];
const OTHERS = { colour: "var(--others)", shape: SHAPES[0], dash: "" };

function style(place) {
  return place < COLOURS ? { colour: `var(--c${place})`, shape: SHAPES[place], dash: DASHES[place] } : OTHERS;
}

// What the legend says and how each run is drawn: by group, by a column of few values, or by a scale of numbers.
let coding = null;

function encode() {
  if (state.colour === "group") {
    const names = data.groups.names;
    coding = {
      entries: names.map((name, group) => ({ name, style: style(group), group })),
      of: (run) => (data.groups.of[run] === null ? OTHERS : style(data.groups.of[run])),
    };
    return;
  }
  const coded = columns.get(state.colour) ?? data.columns[0];
  const found = distinct(coded);
  if (coded.kind === "text" || (coded.part === "config" && found.length <= COLOURS)) {
    const places = new Map(found.map((value, place) => [value, place]));
    coding = {
      entries: found.map((value, place) => ({
        name: write(coded, value),
        style: style(place),
        column: coded,
        value,
      })),
      of: (run) => (coded.values[run] === null ? OTHERS : style(places.get(coded.values[run]))),
    };
    return;
  }
  const place = scaled(coded.values.filter((value) => typeof value === "number"));
  coding = {
    scale: { column: coded, low: found[0], high: found.findLast((value) => typeof value === "number") },
    entries: [],
    of: (run) =>
      typeof coded.values[run] === "number" ? { ...OTHERS, colour: ramp(place(coded.values[run])) } : OTHERS,
  };
}

function distinct(of) {
  return [...new Set(of.values.filter((value) => value !== null))].sort((a, b) => inOrder(a, b, false));
}

// From 0 to 1, by the logarithm where the values span more than a factor of fifty.
function scaled(values) {
  const [low, high] = extent(values);
  if (!(high > low)) return () => 0.5;
  if (low > 0 && high / low > 50) return (value) => Math.log(value / low) / Math.log(high / low);
  return (value) => (value - low) / (high - low);
}

function ramp(share) {
  return `color-mix(in oklab, var(--ramp1) ${(100 * share).toFixed(1)}%, var(--ramp0))`;
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
