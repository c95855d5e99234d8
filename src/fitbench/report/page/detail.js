// One run: what came out, how it learnt, what it mistakes, how it was configured and where it ran.

const PARTS = [
  ["train", "train"],
  ["val", "validation"],
  ["test", "test"],
];
const NUMBERED = 14; // classes; with more, a confusion matrix shows no numbers

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
      confusion(run),
      mistakes(run),
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

function part(title, ...children) {
  return el("section", {}, el("h3", {}, title), children);
}

function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, text] of pairs) list.append(el("div", {}, el("dt", {}, name), el("dd", {}, text)));
  return list;
}

function outcome(run) {
  const get = (name) => (columns.has(name) ? valueOf(name, run) : null);
  const table = el(
    "table",
    { class: "outcome" },
    el("thead", {}, el("tr", {}, el("td"), PARTS.toReversed().map(([, name]) => el("th", { scope: "col" }, name)))),
  );
  const body = el("tbody");
  for (const metric of data.metrics) {
    const values = PARTS.toReversed().map(([key]) => get(`metrics.${key}_${metric.name}`));
    if (values.every((value) => value === null)) continue;
    const cells = values.map((value) => el("td", {}, write(metric, value)));
    body.append(el("tr", {}, el("th", { scope: "row" }, metric.label), cells));
  }
  table.append(body);
  const entries = [];
  const [best, epochs, seconds, finished] = [
    "metrics.best_epoch",
    "metrics.epochs",
    "timing.seconds",
    "finished_at",
  ].map(get);
  if (best !== null) entries.push(["best epoch", `${best} of ${epochs}`]);
  if (get("parameters") !== null) entries.push(["parameters", written("integer", get("parameters"))]);
  if (seconds !== null) entries.push(["time", written("seconds", seconds)]);
  if (finished !== null) entries.push(["finished", moment(finished)]);
  if (columns.has("trial") && get("trial") !== null) entries.push(["trial of a search", String(get("trial"))]);
  const error = data.errors[run];
  return el(
    "section",
    { class: "first" },
    el("p", { class: "where" }, badge(get("state")), el("code", {}, data.folders[run])),
    error ? el("p", { class: "error" }, error) : null,
    body.rows.length ? table : null,
    facts(entries),
  );
}

// -- curves -----------------------------------------------------------------------------------------------------------

function detailCurves(run) {
  const history = data.histories[run];
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
  const { bounded } = data.series.find(({ name }) => name === metric.name || name === `val_${metric.name}`);
  chart(figure, metric.label, (root, width) => {
    const frame = size(root, width, 170);
    const values = series.flatMap(([, each]) => each).filter((value) => value !== null);
    const [low, high] = extent(values);
    const x = scale(ends(epochs), frame.left, frame.right, { pad: 0.02, whole: true });
    const y = scale(values, frame.bottom, frame.top, {
      log: !bounded && low > 0 && high / low > 100,
    });
    axes(root, x, y, frame, { x: "epoch", y: y.log ? `${metric.label} (logarithmic)` : metric.label });
    if (best !== null)
      root.append(svg("line", { class: "best", x1: x(best), x2: x(best), y1: frame.top, y2: frame.bottom }));
    const lines = svg("g", { class: "own" });
    for (const [name, values] of series) {
      lines.append(svg("path", { class: name, d: path(pointsOf(epochs, values, x, y)) }));
    }
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

// -- mistakes ---------------------------------------------------------------------------------------------------------

function confusion(run) {
  const found = data.confusion[run];
  if (!found) return null;
  if (typeof found === "string") return part("Confusion", el("p", { class: "empty" }, found));
  const names = data.classes[found.classes];
  if (found.pairs) return part("Most confused", pairTable(found.pairs, names));
  const count = names.length;
  const row = (i) => found.counts.slice(i * count, (i + 1) * count);
  const totals = names.map((_, i) =>
    Math.max(
      1,
      row(i).reduce((sum, each) => sum + each, 0),
    ),
  );
  const wrong = names.flatMap((_, i) => row(i).map((each, j) => (i === j ? 0 : each / totals[i])));
  const worst = extent(wrong)[1] || 1;
  const numbered = count <= NUMBERED;
  const table = el(
    "table",
    { class: numbered ? "confusion" : "confusion plain" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("td"),
        names.map((name) => el("th", { scope: "col", title: name }, el("span", {}, name))),
      ),
    ),
  );
  const body = el("tbody");
  names.forEach((name, i) => {
    const cells = row(i).map((each, j) => {
      const share = each / totals[i];
      const strength = i === j ? share ** 3 : Math.sqrt(share / worst);
      const title = `${name} read as ${names[j]}: ${each} of ${totals[i]}`;
      return el(
        "td",
        {
          class: (i === j ? "right" : "wrong") + (strength > 0.6 ? " strong" : ""),
          "--strength": `${(100 * strength).toFixed(0)}%`,
          title,
        },
        numbered && each ? String(each) : "",
      );
    });
    body.append(el("tr", {}, el("th", { scope: "row", title: name }, el("span", {}, name)), cells));
  });
  table.append(body);
  return part(
    "Confusion",
    el(
      "p",
      { class: "hint" },
      `True classes in rows, predicted ones in columns.${numbered ? "" : " Point at a cell to read it."}`,
    ),
    el("div", { class: "scroll" }, table),
  );
}

function pairTable(pairs, names) {
  const rows = pairs.map(([label, predicted, count]) => [names[label], names[predicted], String(count)]);
  return listing(["true", "predicted", "times"], ["text", "text", ""], rows);
}

function mistakes(run) {
  const found = data.mistakes[run];
  if (!found) return null;
  const names = data.classes[data.confusion[run].classes];
  const title = `Mistakes: ${found.count.toLocaleString("en-US")} of ${plural(found.examples, "example")}`;
  if (!found.worst.length) return part(title);
  const certain = (probability) => (probability === null ? ABSENT : probability.toFixed(3));
  const rows = found.worst.map(([image, label, predicted, probability]) => [
    String(image),
    names[label],
    names[predicted],
    certain(probability),
  ]);
  const more = `The ${found.worst.length} of which the model was most certain; examples are counted from 0.`;
  return part(
    title,
    found.count > found.worst.length ? el("p", { class: "hint" }, more) : null,
    listing(["example", "true", "predicted", "probability"], ["", "text", "text", ""], rows),
  );
}

// A plain table; `classes` says which columns hold text.
function listing(heads, classes, rows) {
  const cells = (texts, make) => el("tr", {}, texts.map(make));
  const top = cells(heads, (text, i) => el("th", { scope: "col", class: classes[i] }, text));
  const body = rows.map((row) => cells(row, (text, i) => el("td", { class: classes[i] }, text)));
  return el("table", { class: "mistakes" }, el("thead", {}, top), el("tbody", {}, body));
}

// -- configuration and environment ------------------------------------------------------------------------------------

function configuration(run) {
  const own = data.columns
    .filter((c) => c.part === "config" && c.values[run] !== null)
    .map((c) => [c.name, write(c, c.values[run])]);
  const seed = columns.has("seed") ? [["seed", String(valueOf("seed", run))]] : [];
  const shared = data.constant.map(([name, value]) => [name, String(value)]);
  return part(
    "Configuration",
    own.length + seed.length ? facts([...own, ...seed]) : null,
    shared.length ? [el("p", { class: "hint" }, "The same in all runs:"), facts(shared)] : null,
  );
}

function environment(run) {
  const entries = data.environment
    .map(([name, values]) => [name, Array.isArray(values) ? values[run] : values])
    .filter(([, value]) => value !== null);
  return entries.length ? part("Environment", facts(entries.map(([name, value]) => [name, String(value)]))) : null;
}
