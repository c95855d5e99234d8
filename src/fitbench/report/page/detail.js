// One run: what came out, how it learnt, what it mistakes, how it was configured and where it ran.

const PARTS = [
  ["test", "test"],
  ["val", "validation"],
  ["train", "train"],
];
let runs = null; // the table of runs, which knows what comes next
let opener = null; // what had the focus when the panel was opened

function showDetail() {
  const panel = document.getElementById("detail");
  const run = state.selected;
  document.body.classList.toggle("has-detail", run !== null);
  document.querySelector("main").inert = run !== null && innerWidth <= 720; // the panel covers it
  if (run === null) {
    panel.hidden = true;
    panel.replaceChildren();
    opener?.focus();
    opener = null;
    return;
  }
  if (panel.hidden) opener = document.activeElement;
  panel.hidden = false;
  panel.replaceChildren(
    detailTitle(run),
    el(
      "div",
      { class: "inside" },
      outcome(run),
      detailCurves(run),
      predictions(run),
      configuration(run),
      environment(run),
    ),
  );
  panel.scrollTop = 0;
  document.getElementById("detail-title").focus({ preventScroll: true });
  for (const place of panel.querySelectorAll("figure.curve")) place.draw();
}

function move(steps, button) {
  const next = runs.beside(state.selected, steps);
  if (next === null) return;
  select(next);
  runs.reveal(next);
  document.querySelector(`#detail [aria-label="${button.getAttribute("aria-label")}"]`).focus({ preventScroll: true });
}

function detailTitle(run) {
  const button = (text, label, act) =>
    el(
      "button",
      {
        type: "button",
        class: "quiet",
        "aria-label": label,
        title: label,
        onclick: (event) => act(event.currentTarget),
      },
      text,
    );
  return el(
    "div",
    { class: "bar" },
    el("h2", { id: "detail-title", tabindex: "-1" }, labelOf(run)),
    el(
      "div",
      { class: "buttons" },
      button("↑", "Previous run in the table", (pressed) => move(-1, pressed)),
      button("↓", "Next run in the table", (pressed) => move(1, pressed)),
      button("✕", "Close", () => select(null)),
    ),
  );
}

function outcome(run) {
  const get = (name) => (columns.has(name) ? valueOf(name, run) : null);
  const rows = data.metrics
    .map((metric) => [metric, PARTS.map(([key]) => get(`metrics.${key}_${metric.name}`))])
    .filter(([, values]) => values.some((value) => value !== null))
    .map(([metric, values]) => [metric.label, ...values.map((value) => write(metric, value))]);
  const names = ["metrics.best_epoch", "metrics.epochs", "parameters", "timing.seconds", "finished_at", "trial", "tags", "note"];
  const [best, epochs, parameters, seconds, finished, trial, tags, note] = names.map(get);
  const entries = [
    ["best epoch", best, `${best} of ${epochs}`],
    ["parameters", parameters, written("integer", parameters)],
    ["time", seconds, written("seconds", seconds)],
    ["finished", finished, finished === null ? "" : moment(finished)],
    ["trial of a search", trial, String(trial)],
    ["tags", tags, tags],
    ["note", note, note],
  ];
  const error = recorded("errors", run);
  return el(
    "section",
    { class: "first" },
    el("p", { class: "where" }, badge(get("state")), el("code", {}, recorded("folders", run))),
    error ? el("p", { class: "error" }, error) : null,
    rows.length ? listing("outcome", ["", ...PARTS.map(([, name]) => name)], [""], rows) : null,
    facts(entries.filter(([, value]) => value !== null).map(([name, , text]) => [name, text])),
  );
}

// -- curves -----------------------------------------------------------------------------------------------------------

function detailCurves(run) {
  const history = recorded("histories", run);
  if (!history) return part("Learning curves", el("p", { class: "empty" }, "No epoch is recorded."));
  const epochs = epochsOf(run);
  const best = columns.has("metrics.best_epoch") ? valueOf("metrics.best_epoch", run) : null;
  const figures = data.metrics
    .map((metric) => ({ metric, train: seriesOf(run, metric.name), validation: seriesOf(run, `val_${metric.name}`) }))
    .filter(({ train, validation }) => train || validation)
    .map(({ metric, train, validation }) => {
      const figure = el("figure", { class: "curve" });
      figure.draw = () => drawCurve(figure, metric, epochs, train, validation, best);
      return figure;
    });
  const key = el(
    "p",
    { class: "key" },
    el("span", { class: "train" }, "train"),
    el("span", { class: "validation" }, "validation"),
    best === null ? null : el("span", { class: "best" }, "best epoch"),
  );
  return part("Learning curves", figures, key);
}

function drawCurve(figure, metric, epochs, train, validation, best) {
  const series = Object.entries({ train, validation }).filter(([, values]) => values);
  chart(figure, metric.label, (root, width) => {
    const frame = size(root, width, 170);
    const x = epochScale(ends(epochs), frame);
    const y = scale(series.flatMap(([, values]) => values), frame.bottom, frame.top, { of: metric });
    axes(root, x, y, frame, ["epoch", y.log ? `${metric.label} (logarithmic)` : metric.label]);
    if (best !== null)
      root.append(svg("line", { class: "best", x1: x(best), x2: x(best), y1: frame.top, y2: frame.bottom }));
    const lines = svg("g", { class: "own" });
    for (const [name, values] of series)
      lines.append(svg("path", { class: name, d: path(pointsOf(epochs, values, x, y)) }));
    root.append(lines);
    return {
      shapes: new Map(),
      nearest: (px) => {
        const i = closest(epochs, x.back(px));
        const texts = series.map(([name, values]) => `${name} ${write(metric, values[i])}`);
        return { lines: [`epoch ${epochs[i]}`, ...texts] };
      },
    };
  });
}

// -- configuration and environment ------------------------------------------------------------------------------------

function configuration(run) {
  const own = data.columns
    .filter((c) => c.part === "config" && c.values[run] !== null)
    .map((c) => [c.name, write(c, c.values[run])]);
  const identity = ["seed", "fold"].filter((name) => columns.has(name) && valueOf(name, run) !== null);
  const which = identity.map((name) => [name, String(valueOf(name, run))]);
  const shared = data.constant.map(([name, value]) => [name, String(value)]);
  return part(
    "Configuration",
    own.length + which.length ? facts([...own, ...which]) : null,
    shared.length ? [el("p", { class: "hint" }, "The same in all runs:"), facts(shared)] : null,
  );
}

function environment(run) {
  const [of, place] = heldAt(run);
  const entries = of.environment
    .map(([name, values]) => [name, Array.isArray(values) ? values[place] : values])
    .filter(([, value]) => value !== null);
  return entries.length ? part("Environment", facts(entries.map(([name, value]) => [name, String(value)]))) : null;
}
