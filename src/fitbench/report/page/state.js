// Which runs pass the filter, which one is selected, and in which colours runs and groups are drawn.

const FRESH = {
  words: "",
  group: null,
  colour: "group",
  selected: null,
  hovered: null,
};
// Besides them there are `choices`, from the name of a column to the value, as JSON, that runs must have, and `ranges`,
// from the name of a column to a test of a run, set by dragging along an axis.
const state = {};
let visible = [];
const recolours = []; // called when the colours change
const redraws = []; // called when other runs pass the filter, and when the colours change
const marks = []; // called when another run is selected or pointed at
const prints = []; // called before the page is printed
const shows = []; // called with the study when its sections have been built, for as long as the page is open

// Begins anew, with the runs of another set.
function reset() {
  Object.assign(state, FRESH, { choices: new Map(), ranges: new Map() });
  for (const list of [recolours, redraws, marks, prints, searchTexts]) list.length = 0;
}

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

// What --where says of the same comparison: a missing value and one of another kind differ, and have no order.
function wordTest(word) {
  const [, name, operator, wanted] = COMPARISON.exec(word) ?? [];
  const compared = name && column(name);
  if (!compared) return (run) => searched(run).includes(word.toLowerCase());
  const limit = asNumber(wanted);
  return (run) => {
    const found = asNumber(compared.values[run]);
    return typeof found === typeof limit ? TESTS[operator](inOrder(found, limit)) : operator === "!=";
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
