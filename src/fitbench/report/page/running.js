// The runs that run: a table of them, and the chart of their curves.

// Gives the element, `show` of a study and its runs, and `mark`, which is to be called with the other marks.
function runningPart() {
  const heads = ["run", "epoch", "metric", "time left"];
  const cells = heads.map((text, i) => el("th", { scope: "col", class: i ? null : "text" }, text));
  const body = el("tbody");
  const table = el("table", { class: "runs running-runs" }, el("thead", {}, el("tr", {}, cells)), body);
  const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Running runs" }, table);
  const more = el("p", { class: "hint" });
  const runs = el("div", {}, el("div", { class: "heading" }, el("h3", {}, "Running")), scroll, more);
  const heading = el("div", { class: "heading" }, el("h3", {}, "Curves"), el("div", { class: "controls" }));
  const key = ["validation", "training", "ended"].map((name) => el("span", { class: name }, name));
  const curves = el("div", { hidden: true }, heading, el("figure"), el("p", { class: "key" }, key));
  const view = growingChart(curves);
  const rows = keyedRows(body, runningRow);
  const looks = steadyLooks();
  body.addEventListener("pointerover", (event) => hover(event.target.closest("tr").dataset.folder));
  body.addEventListener("pointerleave", () => hover(null));

  const node = el("div", { class: "pair" }, runs, curves);

  function show(study, found) {
    const running = found.filter(({ state }) => state === "running");
    const lookOf = looks(running);
    const shown = running.filter(({ folder }) => lookOf.has(folder));
    runs.hidden = !shown.length;
    rows(shown, lookOf);
    const labels = [...new Set(shown.map(({ metric }) => metric?.label).filter(Boolean))];
    setText(cells[2], labels.length === 1 ? labels[0] : "metric");
    sayMore(more, running.length - shown.length);
    const drawn = study.done ? [] : curvesOf(found, lookOf); // then the report has them
    key[2].hidden = drawn.every(({ look }) => look !== null);
    node.hidden = !drawn.length && !shown.length;
    view.draw(drawn);
  }

  return { node, show, mark: view.mark };
}

// A function from running runs to the looks of those that are shown, by folder: as many as there are looks. A run keeps
// its look, and its row, while it runs.
function steadyLooks() {
  const places = new Map();
  return (running) => {
    const folders = new Set(running.map(({ folder }) => folder));
    for (const folder of places.keys()) if (!folders.has(folder)) places.delete(folder);
    const taken = new Set(places.values());
    const free = [...LOOKS.keys()].filter((place) => !taken.has(place));
    for (const folder of folders) if (free.length && !places.has(folder)) places.set(folder, free.shift());
    return new Map([...places].map(([folder, place]) => [folder, LOOKS[place]]));
  };
}

function runningRow({ folder, run_id }) {
  const swatch = el("span", { class: "swatch" });
  const [name, epoch, metric, left] = [el("span"), el("span"), el("td"), el("td")];
  const share = el("span", { class: "filled" });
  const row = el(
    "tr",
    { "data-folder": folder },
    el("th", { scope: "row", class: "text fixed", title: run_id }, swatch, name),
    el("td", {}, epoch, el("span", { class: "track", "aria-hidden": "true" }, share)),
    metric,
    left,
  );
  const update = (run, lookOf) => {
    const reached = run.epoch ?? 0;
    swatch.style.setProperty("--ink", lookOf.get(folder).colour);
    setText(name, run.label);
    setText(epoch, run.epochs ? `${reached} / ${run.epochs}` : String(reached));
    share.style.setProperty("--part", `${run.epochs ? Math.min(100, (100 * reached) / run.epochs) : 0}%`);
    setText(metric, run.metric ? write(run.metric, run.metric.value) : ABSENT);
    setText(left, run.left === null ? ABSENT : remaining(run.left, run.updated));
  };
  return { row, update };
}

// The runs that have a curve, those that ended while the page was open below the others.
function curvesOf(found, lookOf) {
  const having = found.filter(({ curve }) => curve);
  const ended = having.filter(({ state }) => state !== "running").sort((a, b) => a.updated - b.updated);
  const running = having.filter(({ folder }) => lookOf.has(folder));
  return [...ended.slice(-ENDED), ...running].map((run) => ({ run, look: lookOf.get(run.folder) ?? null }));
}
