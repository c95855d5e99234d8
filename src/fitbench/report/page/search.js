// Searches: what their trials came to, which parameters mattered, and the trials themselves. All trials count, whatever
// the filter. The lists of one of data.searches have an item for each trial, and a trial is its place in them.

const CATEGORIES = 16; // names below an axis at most
const TOLD = 12; // parameters that a tooltip names
const AXES_SHOWN = 10; // parameters of the parallel coordinates, those that matter most
const SLICE = 158; // pixels that a chart of one parameter is high

function searches() {
  const section = document.getElementById("search");
  section.hidden = !data.searches.length;
  if (section.hidden) return;
  const made = new Map();
  const show = (i) => {
    if (!made.has(i)) made.set(i, searchParts(data.searches[i]));
    section.querySelector(".content").replaceChildren(...made.get(i));
    mark();
  };
  if (data.searches.length > 1) {
    const studies = data.searches.map(({ study }, i) => [String(i), study]);
    section.querySelector(".controls").append(choice("Study", studies, "0", (chosen) => show(Number(chosen))));
  }
  show(0);
}

function searchParts(search) {
  search.front = new Set(search.objectives.length > 1 ? search.best : search.best.slice(0, 1));
  search.choice = { up: 0, across: 1 };
  const several = search.objectives.length > 1;
  const names = search.objectives.map((of, i) => [String(i), of.label]);
  const renders = [];
  const figure = (label, draw) => {
    const place = el("figure");
    const view = chart(place, label, draw);
    renders.push(view.render);
    marks.push(view.mark);
    return place;
  };
  const pick = (key) => (chosen) => {
    search.choice[key] = Number(chosen);
    renders.forEach((render) => render());
  };
  const shares = el("div", { class: "shares" });
  const showShares = () => shares.replaceChildren(...shareRows(search));
  const beyond = el("p", { class: "hint" });
  const showBeyond = () => beyond.replaceChildren(textBeyond(search));
  for (const show of [showShares, showBeyond]) {
    renders.push(show);
    show();
  }
  const controls = [choice("Up", names, "0", pick("up")), choice("Across", names, "1", pick("across"))];
  const overview = several
    ? part(
        "Trade-off",
        figure("Trials by two objectives", (...at) => plane(search, ...at)),
        trialKey(search),
      )
    : part(
        "History",
        figure("Trials by number", (...at) => trialHistory(search, ...at)),
        trialKey(search),
      );
  const slices = search.parameters.map((of) => figure(`Trials by ${of.label}`, (...at) => slice(search, of, ...at)));
  return [
    el("p", { class: "answer" }, bestTrial(search)),
    el("p", { class: "said" }, search.summary),
    several ? el("div", { class: "controls" }, controls) : "",
    el("div", { class: "pair" }, overview, part("What mattered", shares)),
    part("Parameters", el("div", { class: "slices" }, slices)),
    part(
      "Finished trials, the best in the strongest colour",
      figure("Parallel coordinates, one line per trial", (...at) => trialLines(search, ...at)),
      beyond,
    ),
    part("Trials", trialTable(search)),
  ];
}

// -- words ------------------------------------------------------------------------------------------------------------

function bestTrial(search) {
  if (!search.best.length) return "No trial has finished.";
  const [best] = search.best;
  const chosen = search.parameters.filter((of) => of.values[best] !== null);
  const told = chosen.slice(0, TOLD).map((of) => `${of.label} ${write(of, of.values[best])}`);
  const more = chosen.length > TOLD ? `, and ${chosen.length - TOLD} more parameters` : "";
  const came = `${search.numbers[best]}, with ${told.join(", ")}${more}`;
  const [first, ...others] = search.objectives;
  const value = `${first.better === "higher" ? "Highest" : "Lowest"} ${first.label}: ${write(first, first.values[best])}`;
  if (!others.length) return `${value} in trial ${came}.`;
  const front = `${plural(search.best.length, "trial is", "trials are")} on the Pareto front: no other is better in every objective.`;
  return `${front} ${value} in trial ${came}.`;
}

// What parallel coordinates do with values that their last axis does not show.
function textBeyond(search) {
  const of = search.objectives[search.choice.up];
  const values = of.values.filter((_, trial) => search.states[trial] === "finished");
  const outside = values.filter((value) => isOutside(of, value)).length;
  if (!outside) return "";
  const end = of.better === "higher" ? `below ${write(of, of.low)}` : `above ${write(of, of.high)}`;
  return `${plural(outside, "trial")} ${end} ${outside === 1 ? "stands" : "stand"} at the end of the last axis.`;
}

function trialTold(search, trial) {
  const state = search.states[trial];
  const after = state === "pruned" && search.epochs[trial] !== null ? ` after epoch ${search.epochs[trial]}` : "";
  const on = search.objectives.length > 1 && search.front.has(trial) ? ", on the Pareto front" : "";
  return [
    `trial ${search.numbers[trial]}, ${state}${after}${on}`,
    ...search.objectives
      .filter((of) => of.values[trial] !== null)
      .map((of) => `${of.label} ${write(of, of.values[trial])}`),
    ...search.parameters
      .filter((of) => of.values[trial] !== null)
      .slice(0, TOLD)
      .map((of) => `${of.label} ${write(of, of.values[trial])}`),
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
    .map(([text, look]) => el("span", { class: "entry" }, symbol(LOOKS[look]), text));
  return el("p", { class: "trial-key" }, items);
}

// -- marks ------------------------------------------------------------------------------------------------------------

const LOOKS = {
  best: { colour: "var(--c1)", shape: SHAPES[0] },
  finished: { colour: "var(--c0)", shape: SHAPES[0] },
  pruned: { colour: "var(--others)", shape: SHAPES[6] },
  failed: { colour: "var(--bad)", shape: SHAPES[1] },
  outside: { colour: "var(--others)", shape: SHAPES[4] },
};

const LEFTWARDS = "M-5.2,0L3.8,-5V5Z";
const RIGHTWARDS = "M5.2,0L-3.8,-5V5Z";

function isOutside(of, value) {
  return value < of.low || value > of.high;
}

function objectiveScale(of, frame) {
  return scale([of.low, of.high], frame.bottom, frame.top, { log: of.log, pad: 0.06 });
}

// Draws a mark for each trial that has a place across; one beyond the axis, or without a value, stands at its end.
// `other` is the objective that is across, if there is one.
function trialMarks(root, search, of, across, y, frame, other = of) {
  const end = of.better === "higher" ? frame.bottom : frame.top;
  const beyond = SHAPES[of.better === "higher" ? 4 : 2];
  const layer = svg("g", { class: search.numbers.length > THIN ? "dots small" : "dots" });
  const shapes = new Map();
  const points = [];
  const draw = (trial) => {
    const px = across(trial);
    const value = of.values[trial];
    const failed = search.states[trial] === "failed";
    if (!Number.isFinite(px) || (value === null && !failed)) return;
    const out = value !== null && isOutside(of, value);
    const py = value === null || out ? end : y(value);
    const { colour, shape } = LOOKS[search.front.has(trial) ? "best" : search.states[trial]];
    const beside = value !== null && other !== of && isOutside(other, other.values[trial]);
    const aside = other.better === "higher" ? LEFTWARDS : RIGHTWARDS;
    const dot = svg("path", {
      d: out ? beyond : beside ? aside : shape,
      transform: `translate(${px.toFixed(1)},${py.toFixed(1)})`,
      "--ink": colour,
    });
    layer.append(dot);
    const run = search.runs[trial] ?? undefined;
    if (run !== undefined) shapes.set(run, [...(shapes.get(run) ?? []), dot]);
    points.push({ trial, run, px, py });
  };
  const all = [...search.numbers.keys()];
  const rank = (trial) => search.front.has(trial) + (search.states[trial] !== "pruned") * 1;
  all.sort((a, b) => rank(a) - rank(b)).forEach(draw);
  root.append(layer);
  return { shapes, nearest: (mx, my) => nearestTrial(search, points, mx, my) };
}

function nearestTrial(search, points, mx, my) {
  let [best, distance] = [null, NEAR];
  for (const point of points) {
    const away = Math.hypot(point.px - mx, point.py - my);
    if (away < distance) [best, distance] = [point, away];
  }
  return best && { run: best.run, lines: trialTold(search, best.trial) };
}

// -- charts -----------------------------------------------------------------------------------------------------------

function trialHistory(search, root, width) {
  const frame = size(root, width, Math.min(320, height(width)));
  const [of] = search.objectives;
  if (of.values.every((value) => value === null))
    return nothing(root, frame.right, frame.bottom, "No trial has a value yet");
  const x = scale(search.numbers, frame.left, frame.right, { pad: 0.02, whole: true });
  const y = objectiveScale(of, frame);
  axes(root, x, y, frame, { x: "trial", y: of.label, yKind: of.kind });
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
  const x = scale([across.low, across.high], frame.left, frame.right, { log: across.log, pad: 0.06 });
  const y = objectiveScale(up, frame);
  axes(root, x, y, frame, { x: across.label, y: up.label, xKind: across.kind, yKind: up.kind });
  const front = search.objectives.length === 2 && up !== across ? paretoFront(having, across, up) : [];
  if (front.length) root.append(frontLine(front, x, y, across, up, frame));
  const place = (trial) => {
    const value = across.values[trial];
    if (value === null) return NaN;
    return isOutside(across, value) ? (value < across.low ? frame.left : frame.right) : x(value);
  };
  return trialMarks(root, search, up, place, y, frame, across);
}

function slice(search, of, root, width) {
  const objective = search.objectives[search.choice.up];
  const named = of.kind === "text" ? sliceNames(of, width) : null;
  const frame = size(root, width, SLICE + (named?.room ?? 0));
  frame.bottom -= (named?.room ?? 0) - 14;
  frame.left -= 8;
  const share = shareOf(search, of);
  const room = width / 7 - (share === null ? 0 : 6);
  const label = shortened(of.label, room) + (share === null ? "" : `  ${share.toFixed(2)}`);
  const y = objectiveScale(objective, frame);
  const x = named
    ? Object.assign((at) => frame.left + ((at + 0.5) / of.choices.length) * (frame.right - frame.left), { ticks: [] })
    : scale([of.low, of.high], frame.left, frame.right, { log: of.log, pad: 0.05 });
  axes(root, x, y, frame, { x: "", y: label, yKind: objective.kind });
  if (named) root.append(choiceNames(named, x, frame));
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
  const others = search.objectives.filter((of) => of !== objective);
  const having = search.parameters.filter((of) => finished.some((trial) => of.values[trial] !== null));
  const clamped = {
    ...objective,
    values: objective.values.map((value) => value && Math.min(Math.max(value, objective.low), objective.high)),
  };
  const shown = [...having.slice(0, AXES_SHOWN), ...others, clamped].map((of) => ({
    ...of,
    values: finished.map((trial) => of.values[trial]),
  }));
  const whole = Math.max(width, AXIS_ROOM * shown.length);
  size(root, whole, 320);
  if (finished.length < 2) return nothing(root, whole, 320, "It takes two finished trials");
  const frame = { left: 62, right: whole - 62, top: 40, bottom: 284 };
  const last = shown.at(-1);
  const order = apart(last);
  const share = scaled(last.values);
  const gap = (frame.right - frame.left) / (shown.length - 1);
  const axisList = shown.map((of, i) => ({ of, x: frame.left + i * gap, ...verticalAxis(of, frame, order) }));
  const lines = finished.map((trial, i) => {
    const good = last.better === "higher" ? share(last.values[i]) : 1 - share(last.values[i]);
    return {
      trial,
      good,
      run: search.runs[trial] ?? undefined,
      colour: ramp(good),
      points: axisList.map(({ x, y }) => [x, y(i)]),
    };
  });
  lines.sort((a, b) => a.good - b.good);
  const shapes = drawLines(root, lines);
  axisList.forEach((axis) => root.append(drawnAxis(axis, frame, Math.min(gap / 7, 20))));
  return {
    shapes,
    nearest: (px, py) => {
      const found = py > frame.top - 8 ? nearestLine(lines, px, py) : null;
      return found && { run: found.run, lines: trialTold(search, found.trial) };
    },
  };
}

// -- what mattered ----------------------------------------------------------------------------------------------------

function shareOf(search, of) {
  const found = search.importance[search.choice.up].find(([i]) => search.parameters[i] === of);
  return found ? found[1] : null;
}

function shareRows(search) {
  const found = [...search.importance[search.choice.up]].sort((a, b) => b[1] - a[1]);
  if (!found.length)
    return [el("p", { class: "hint" }, "Not known: that takes four finished trials with different values.")];
  const most = Math.max(...found.map(([, share]) => share)) || 1;
  const rows = found.map(([i, share]) => {
    const { name, label } = search.parameters[i];
    return el(
      "div",
      { class: "share" },
      el("span", { title: name }, shortened(label, 22)),
      el(
        "span",
        { class: "track" },
        el("span", { class: "filled", "--part": `${((100 * share) / most).toFixed(1)}%` }),
      ),
      el("span", {}, share.toFixed(2)),
    );
  });
  const rated = new Set(found.map(([i]) => i));
  const rest = search.parameters.filter((_, i) => !rated.has(i)).map(({ label }) => label);
  const objective = search.objectives[search.choice.up].label;
  const what = `Share of each parameter in what makes ${objective} good among the finished trials (PED-ANOVA).`;
  const why = rest.length
    ? ` Not rated, as not every trial has it or all have the same: ${rest.slice(0, TOLD).join(", ")}.`
    : "";
  return [...rows, el("p", { class: "hint" }, what + why)];
}

// -- trials -----------------------------------------------------------------------------------------------------------

function trialTable(search) {
  const place = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of trials" });
  const body = el("tbody");
  const table = el("table", { class: "runs trials" }, el("thead"), body);
  place.append(table);
  const ranks = new Map(search.best.map((trial, i) => [trial, i]));
  const parts = [
    { label: "trial", kind: "integer", values: search.numbers, class: "fixed" },
    { label: "state", kind: "text", values: search.states },
    ...search.objectives,
    ...search.parameters,
    { label: "epochs", kind: "integer", values: search.epochs },
    { label: "time", kind: "seconds", values: search.seconds },
  ].filter((each) => each.values.some((value) => value !== null));
  let sorting = null; // the best first
  const pages = paged(place, body, (trial) => trialRow(search, trial, parts));

  function compare(a, b) {
    if (sorting) return inOrder(sorting.part.values[a], sorting.part.values[b], sorting.descending) || a - b;
    const [of] = search.objectives;
    return (
      inOrder(ranks.get(a), ranks.get(b), false) || inOrder(of.values[a], of.values[b], of.better === "higher") || a - b
    );
  }

  function render() {
    const heads = parts.map((each) =>
      head(
        each.label,
        { class: [each.kind === "text" ? "text" : "", each.class ?? ""].join(" "), title: each.name ?? each.label },
        sorting?.part === each ? sorting.descending : null,
        () => {
          const falls = sorting?.part === each ? !sorting.descending : each.better === "higher";
          sorting = { part: each, descending: falls };
          render();
          focusSorted(table);
        },
      ),
    );
    table.tHead.replaceChildren(el("tr", {}, heads));
    pages.show([...search.numbers.keys()].sort(compare));
  }

  function runAt(event) {
    return search.runs[event.target.closest("tr")?.dataset.trial] ?? null;
  }
  body.addEventListener("pointerover", (event) => hover(runAt(event)));
  body.addEventListener("pointerleave", () => hover(null));
  body.addEventListener("click", (event) => {
    const run = runAt(event);
    if (run !== null) select(run);
  });
  marks.push(() => {
    for (const [trial, row] of pages.rows) {
      const run = search.runs[trial];
      row.classList.toggle("selected", run !== null && run === state.selected);
      row.classList.toggle("hovered", run !== null && run === state.hovered);
    }
  });
  render();
  return place;
}

function trialRow(search, trial, parts) {
  const cells = parts.map((each, i) => {
    const found = each.values[trial];
    const text = write(each, found);
    if (i === 0) {
      const opens = search.runs[trial] !== null;
      return el(
        "th",
        { scope: "row", class: "fixed" },
        opens ? el("button", { type: "button", class: "link" }, text) : text,
      );
    }
    if (each.values === search.states) return el("td", { class: "text", title: search.errors[trial] }, badge(found));
    return el("td", { class: each.kind === "text" ? "text" : "", title: text.length > 24 ? text : null }, text);
  });
  return el("tr", { "data-trial": trial }, cells);
}
