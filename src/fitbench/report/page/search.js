// Searches: what their trials came to, which parameters mattered, and the trials themselves. All trials count, whatever
// the filter. The lists of one of data.searches have an item for each trial, and a trial is its place in them.

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
  const renders = [];
  const figure = (label, draw) => {
    const place = el("figure");
    const view = chart(place, label, (root, width) => draw(search, root, width));
    renders.push(view.render);
    marks.push(view.mark);
    return place;
  };
  // An element whose content depends on the objectives that are chosen.
  const filled = (element, content) => {
    const render = () => element.replaceChildren(...content(search));
    renders.push(render);
    render();
    return element;
  };
  const pick = (label, key) => {
    const names = search.objectives.map((of, i) => [String(i), of.label]);
    return choice(label, names, String(search.choice[key]), (chosen) => {
      search.choice[key] = Number(chosen);
      renders.forEach((render) => render());
    });
  };
  const several = search.objectives.length > 1;
  const overview = several ? figure("Trials by two objectives", plane) : figure("Trials by number", trialHistory);
  const slices = search.parameters.map((of) => figure(`Trials by ${of.label}`, (...at) => slice(of, ...at)));
  return [
    el("p", { class: "answer" }, bestTrial(search)),
    el("p", { class: "said" }, search.summary),
    several ? el("div", { class: "controls" }, pick("Up", "up"), pick("Across", "across")) : "",
    el(
      "div",
      { class: "pair" },
      part(several ? "Trade-off" : "History", overview, trialKey(search)),
      part("What mattered", filled(el("div", { class: "shares" }), shareRows)),
    ),
    part("Parameters", el("div", { class: "slices" }, slices), sideBySide(search)),
    part(
      "Finished trials, the best in the strongest colour",
      figure("Parallel coordinates, one line per trial", trialLines),
      filled(el("p", { class: "hint" }), (of) => [textBeyond(of)]),
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
  const which = first.better === "higher" ? "Highest" : "Lowest";
  const value = `${which} ${first.label}: ${write(first, first.values[best])}`;
  if (!others.length) return `${value} in trial ${came}.`;
  const front = `${plural(search.best.length, "trial is", "trials are")} on the Pareto front`;
  return `${front}: no other is better in every objective. ${value} in trial ${came}.`;
}

// What the charts do with trials that have the same choice.
function sideBySide(search) {
  const choices = search.parameters.filter(({ kind }) => kind === "text");
  const text = "Trials of the same choice stand side by side, and their lines below are spread around it.";
  return choices.length ? el("p", { class: "hint" }, text) : "";
}

// What parallel coordinates do with values that their last axis does not show.
function textBeyond(search) {
  const of = search.objectives[search.choice.up];
  const values = of.values.filter((_, trial) => search.states[trial] === "finished");
  const outside = values.filter((value) => isOutside(of, value)).length;
  if (!outside) return "";
  const end = of.better === "higher" ? `below ${write(of, of.shown[0])}` : `above ${write(of, of.shown[1])}`;
  return `${plural(outside, "trial")} ${end} ${outside === 1 ? "stands" : "stand"} at the end of the last axis.`;
}

// -- what mattered ----------------------------------------------------------------------------------------------------

function shareOf(search, of) {
  const found = search.importance[search.choice.up].find(([i]) => search.parameters[i] === of);
  return found ? found[1] : null;
}

function shareRows(search) {
  const found = [...search.importance[search.choice.up]].sort((a, b) => b[1] - a[1]);
  if (!found.length) {
    const why = search.unrated;
    return [el("p", { class: "hint" }, `${why[0].toUpperCase()}${why.slice(1)}.`)];
  }
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
  const ranks = new Map(search.best.map((trial, i) => [trial, i]));
  const [of] = search.objectives;
  const bestFirst = (a, b) =>
    inOrder(ranks.get(a), ranks.get(b), false) || inOrder(of.values[a], of.values[b], of.better === "higher") || a - b;
  const parts = [
    { label: "trial", kind: "integer", values: search.numbers, class: "fixed" },
    { label: "state", kind: "text", values: search.states },
    ...search.objectives,
    ...search.parameters,
    { label: "epochs", kind: "integer", values: search.epochs },
    { label: "time", kind: "seconds", values: search.seconds },
  ]
    .filter((each) => each.values.some((value) => value !== null))
    .map((each, key) => ({
      of: each,
      key,
      label: each.label,
      title: each.name ?? each.label,
      class: [each.kind === "text" ? "text" : "", each.class ?? ""].join(" "),
      descending: each.better === "higher",
      value: (trial) => each.values[trial],
    }));
  const pages = sortedTable(place, "runs trials", (trial) => trialRow(search, trial, parts), bestFirst);
  linkRows(pages, (trial) => search.runs[trial]);
  pages.show(parts, [...search.numbers.keys()]);
  return place;
}

function trialRow(search, trial, parts) {
  const cells = parts.map(({ of, class: name }, i) => {
    const found = of.values[trial];
    const text = write(of, found);
    if (i === 0) {
      const opens = search.runs[trial] !== null;
      const shown = opens ? el("button", { type: "button", class: "link" }, text) : text;
      return el("th", { scope: "row", class: name }, shown);
    }
    if (of.values === search.states) return el("td", { class: name, title: search.errors[trial] }, badge(found));
    return el("td", { class: name, title: text.length > 24 ? text : null }, text);
  });
  return el("tr", { "data-trial": trial }, cells);
}
