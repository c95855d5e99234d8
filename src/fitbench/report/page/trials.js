// The charts of a search: a mark, or a line, for each trial.

const CATEGORIES = 16; // names below an axis at most
const TOLD = 12; // parameters that a tooltip names
const AXES_SHOWN = 10; // parameters of the parallel coordinates, those that matter most
const SLICE = 158; // pixels that a chart of one parameter is high
const OBJECTIVE_MARGIN = 0.06;

const TRIALS = {
  best: { colour: "var(--c1)", shape: PATHS.o },
  finished: { colour: "var(--c0)", shape: PATHS.o },
  pruned: { colour: "var(--others)", shape: PATHS.X },
  failed: { colour: "var(--c2)", shape: PATHS.s },
  outside: { colour: "var(--others)", shape: PATHS.v },
};

function isOutside(of, value) {
  return value < of.shown[0] || value > of.shown[1];
}

function objectiveScale(of, from, to) {
  return scale(of.shown, from, to, { of, margin: OBJECTIVE_MARGIN });
}

// Draws a mark for each trial that has a place across; one beyond the axis, or without a value, stands at its end.
// `other` is the objective that is across, if there is one.
function trialMarks(root, search, of, across, y, frame, other = of) {
  const end = of.better === "higher" ? frame.bottom : frame.top;
  const layer = svg("g", { class: search.numbers.length > THIN ? "dots small" : "dots" });
  const shapes = new Map();
  const points = [];
  const draw = (trial) => {
    const px = across(trial);
    const value = of.values[trial];
    if (!Number.isFinite(px) || (value === null && search.states[trial] !== "failed")) return;
    const out = value !== null && isOutside(of, value);
    const beside = value !== null && other !== of && isOutside(other, other.values[trial]);
    const look = TRIALS[search.front.has(trial) ? "best" : search.states[trial]];
    const shape = out ? arrow(of, "v", "^") : beside ? arrow(other, "<", ">") : look.shape;
    const py = value === null || out ? end : y(value);
    const run = search.runs[trial] ?? undefined;
    const drawn = dot(layer, [px, py], { ...look, shape });
    if (run !== undefined) shapes.set(run, [...(shapes.get(run) ?? []), drawn]);
    points.push({ trial, run, px, py });
  };
  const rank = (trial) => search.front.has(trial) + (search.states[trial] !== "pruned") * 1;
  [...search.numbers.keys()].sort((a, b) => rank(a) - rank(b)).forEach(draw);
  root.append(layer);
  return {
    shapes,
    nearest: (mx, my) => {
      const found = nearestPoint(points, mx, my);
      return found && { run: found.run, lines: trialTold(search, found.trial) };
    },
  };
}

// The mark of a value beyond the bad end of an axis.
function arrow(of, low, high) {
  return PATHS[of.better === "higher" ? low : high];
}

// -- charts -----------------------------------------------------------------------------------------------------------

function trialHistory(search, root, width) {
  const frame = size(root, width, Math.min(320, height(width)));
  const [of] = search.objectives;
  if (of.values.every((value) => value === null))
    return nothing(root, frame.right, frame.bottom, "No trial has a value yet");
  const x = epochScale(search.numbers, frame);
  const y = objectiveScale(of, frame.bottom, frame.top);
  axes(root, x, y, frame, ["trial", of.label]);
  root.append(bestSoFar(search, of, x, y, frame));
  return trialMarks(root, search, of, (trial) => x(search.numbers[trial]), y, frame);
}

function bestSoFar(search, of, x, y, frame) {
  const end = of.better === "higher" ? frame.bottom : frame.top;
  let [best, drawn] = [null, ""];
  search.numbers.forEach((number, trial) => {
    const value = of.values[trial];
    if (search.states[trial] !== "finished" || (best !== null && inOrder(value, best, of.better === "higher") >= 0))
      return;
    const at = isOutside(of, value) ? end : y(value);
    drawn += best === null ? `M${x(number).toFixed(1)},${at.toFixed(1)}` : `H${x(number).toFixed(1)}V${at.toFixed(1)}`;
    best = value;
  });
  return svg("path", { class: "so-far", d: drawn && `${drawn}H${x(search.numbers.at(-1)).toFixed(1)}` });
}

function plane(search, root, width) {
  const frame = size(root, width, height(width));
  const { up: first, across: second } = search.choice;
  const [up, across] = [search.objectives[first], search.objectives[second]];
  const having = [...search.numbers.keys()].filter(
    (trial) => up.values[trial] !== null && !isOutside(up, up.values[trial]),
  );
  if (!having.length) return nothing(root, frame.right, frame.bottom, "No trial has finished");
  const x = objectiveScale(across, frame.left, frame.right);
  const y = objectiveScale(up, frame.bottom, frame.top);
  axes(root, x, y, frame, [across.label, up.label]);
  const front = search.objectives.length === 2 && up !== across ? paretoFront(having, across, up) : [];
  if (front.length) root.append(frontLine(front, x, y, across, up, frame));
  const place = (trial) => {
    const value = across.values[trial];
    if (value === null) return NaN;
    return isOutside(across, value) ? (value < across.shown[0] ? frame.left : frame.right) : x(value);
  };
  return trialMarks(root, search, up, place, y, frame, across);
}

function slice(of, search, root, width) {
  const objective = search.objectives[search.choice.up];
  const named = of.kind === "text" ? sliceNames(of, width) : null;
  const frame = size(root, width, SLICE + (named?.room ?? 0));
  frame.bottom -= (named?.room ?? 0) - 14;
  frame.left -= 8;
  const share = shareOf(search, of);
  const room = width / 7 - (share === null ? 0 : 6);
  const label = shortened(of.label, room) + (share === null ? "" : `  ${share.toFixed(2)}`);
  const y = objectiveScale(objective, frame.bottom, frame.top);
  const x = named
    ? Object.assign((at) => frame.left + ((at + 0.5) / of.choices.length) * (frame.right - frame.left), { ticks: [] })
    : scale([of.low, of.high], frame.left, frame.right, { log: of.log });
  axes(root, x, y, frame, ["", label]);
  if (named) root.append(betweenChoices(of, x, frame), choiceNames(named, x, frame));
  const spread = named ? spreadOf(search, of) : null;
  const place = (trial) => {
    const value = of.values[trial];
    if (value === null) return NaN;
    return x(named ? of.choices.indexOf(value) + spread[trial] : value);
  };
  return trialMarks(root, search, objective, place, y, frame);
}

// Where the trials of each choice stand beside each other: in their order, from -0.25 to 0.25.
function spreadOf(search, of) {
  const spread = [];
  for (const name of of.choices) {
    const trials = [...search.numbers.keys()].filter((trial) => of.values[trial] === name);
    trials.forEach((trial, i) => {
      spread[trial] = (i + 0.5) / trials.length / 2 - 0.25;
    });
  }
  return spread;
}

// Which choices are named, and whether their names are turned because they would meet.
function sliceNames(of, width) {
  const every = Math.ceil(of.choices.length / CATEGORIES);
  const names = of.choices.map((name, i) => [i, shortened(name, 16), name]).filter(([i]) => i % every === 0);
  const longest = Math.max(1, ...names.map(([, name]) => name.length)) * 6.3;
  const turned = longest > (width - MARGIN.left - MARGIN.right) / Math.max(1, names.length) - 4;
  return { names, turned, room: turned ? longest * 0.72 + 8 : 14 };
}

// A line between the places of two choices.
function betweenChoices(of, x, frame) {
  const lines = of.choices.slice(1).map((_, i) => {
    return svg("line", { class: "grid", x1: x(i + 0.5), x2: x(i + 0.5), y1: frame.top, y2: frame.bottom });
  });
  return svg("g", { class: "axis" }, lines);
}

function choiceNames({ names, turned }, x, frame) {
  return svg(
    "g",
    { class: "axis" },
    names.map(([i, name, whole]) => {
      const at = `translate(${x(i).toFixed(1)},${frame.bottom + (turned ? 12 : 16)})${turned ? " rotate(-46)" : ""}`;
      return svg("text", { transform: at, "text-anchor": turned ? "end" : "middle" }, name, svg("title", {}, whole));
    }),
  );
}

function trialLines(search, root, width) {
  const objective = search.objectives[search.choice.up];
  const finished = [...search.numbers.keys()].filter((trial) => search.states[trial] === "finished");
  if (finished.length < 2) return nothing(root, width, HEIGHT.whole, "It takes two finished trials");
  const others = search.objectives.filter((of) => of !== objective);
  const having = search.parameters.filter((of) => finished.some((trial) => of.values[trial] !== null));
  const [low, high] = objective.shown;
  const clamp = (value) => (value === null ? null : Math.min(Math.max(value, low), high));
  const clamped = { ...objective, values: objective.values.map(clamp) };
  const shown = [...having.slice(0, AXES_SHOWN), ...others, clamped].map((of) => ({
    ...of,
    values: finished.map((trial) => of.values[trial]),
  }));
  const { values, better } = shown.at(-1);
  const share = scaled(objective, values);
  const lines = finished.map((trial, item) => {
    const good = better === "higher" ? share(values[item]) : 1 - share(values[item]);
    return { trial, item, good, run: search.runs[trial] ?? undefined, colour: ramp(good) };
  });
  lines.sort((a, b) => a.good - b.good);
  return parallel(root, width, shown, () => lines, ({ trial }) => trialTold(search, trial));
}

// -- words ------------------------------------------------------------------------------------------------------------

function trialTold(search, trial) {
  const state = search.states[trial];
  const after = state === "pruned" && search.epochs[trial] !== null ? ` after epoch ${search.epochs[trial]}` : "";
  const on = search.objectives.length > 1 && search.front.has(trial) ? ", on the Pareto front" : "";
  const told = (list) =>
    list.filter((of) => of.values[trial] !== null).map((of) => `${of.label} ${write(of, of.values[trial])}`);
  return [
    `trial ${search.numbers[trial]}, ${state}${after}${on}`,
    ...told(search.objectives),
    ...told(search.parameters).slice(0, TOLD),
    ...(search.errors[trial] ? [search.errors[trial]] : []),
  ];
}

function trialKey(search) {
  const has = (state) => search.states.includes(state);
  const outside = search.objectives.some((of) => of.values.some((value) => value !== null && isOutside(of, value)));
  const entries = [
    search.objectives.length > 1 ? ["on the Pareto front", "best"] : ["best", "best"],
    has("finished") ? ["finished", "finished"] : null,
    has("pruned") ? ["pruned, at its best epoch", "pruned"] : null,
    outside ? ["beyond the axis", "outside"] : null,
    has("failed") ? ["failed", "failed"] : null,
  ];
  const items = entries
    .filter(Boolean)
    .map(([text, look]) => el("span", { class: "entry" }, symbol(TRIALS[look]), text));
  return el("p", { class: "trial-key" }, items);
}

