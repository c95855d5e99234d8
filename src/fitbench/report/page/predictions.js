// What the task of one run draws of its predictions: matrices and mistakes, predicted values, scores of labels.

const NUMBERED = 14; // classes; with more, a confusion matrix shows no numbers

// By the names in `Task.drawings`; each gives sections.
const DRAWN = { confusion, mistakes, predicted, residuals: listed, labels: listed };

function predictions(run) {
  const found = recorded("predictions", run);
  if (!found) return null;
  if (typeof found === "string") return part("Predictions", el("p", { class: "empty" }, found));
  const [{ classes }] = heldAt(run);
  return Object.entries(found).flatMap(([name, content]) => DRAWN[name](content, classes[found.confusion?.classes]));
}

// -- classes ----------------------------------------------------------------------------------------------------------

function confusion(found, names) {
  if (found.pairs) return part("Most confused", pairTable(found.pairs, names));
  const numbered = names.length <= NUMBERED;
  const hint = `True classes in rows, predicted ones in columns.${numbered ? "" : " Point at a cell to read it."}`;
  return part(
    "Confusion",
    el("p", { class: "hint" }, hint),
    el("div", { class: "scroll" }, matrixTable(names, found.counts, numbered)),
  );
}

function matrixTable(names, counts, numbered) {
  const rows = names.map((_, i) => counts.slice(i * names.length, (i + 1) * names.length));
  const totals = rows.map((row) => Math.max(1, row.reduce((sum, each) => sum + each, 0)));
  const wrong = rows.flatMap((row, i) => row.map((each, j) => (i === j ? 0 : each / totals[i])));
  const worst = extent(wrong)[1] || 1;
  const cell = (i, each, j) => {
    const share = each / totals[i];
    const strength = i === j ? share ** 3 : Math.sqrt(share / worst);
    const attributes = {
      class: (i === j ? "right" : "wrong") + (strength > 0.6 ? " strong" : ""),
      "--strength": `${(100 * strength).toFixed(0)}%`,
      title: `${names[i]} read as ${names[j]}: ${each} of ${totals[i]}`,
    };
    return el("td", attributes, numbered && each ? String(each) : "");
  };
  const name = (scope, i) => el("th", { scope, title: names[i] }, el("span", {}, names[i]));
  return el(
    "table",
    { class: numbered ? "confusion" : "confusion plain" },
    el("thead", {}, el("tr", {}, el("td"), names.map((_, i) => name("col", i)))),
    el("tbody", {}, rows.map((row, i) => el("tr", {}, name("row", i), row.map((each, j) => cell(i, each, j))))),
  );
}

function pairTable(pairs, names) {
  const rows = pairs.map(([label, predicted, count]) => [names[label], names[predicted], String(count)]);
  return listing("mistakes", ["true", "predicted", "times"], ["text", "text", ""], rows);
}

function mistakes(found, names) {
  const title = `Mistakes: ${found.count.toLocaleString("en-US")} of ${plural(found.examples, "example")}`;
  if (!found.worst.length) return part(title);
  const certain = (probability) => (probability === null ? ABSENT : probability.toFixed(3));
  const rows = found.worst.map(([place, label, predicted, probability]) => [
    String(place),
    names[label],
    predicted === null ? ABSENT : names[predicted],
    certain(probability),
  ]);
  const counted = found.place === "row" ? "rows are counted from 1 below the names" : "examples are counted from 0";
  const more = `The ${found.worst.length} of which the model was most certain; ${counted}.`;
  const drawn = "fitbench show RUN --plots draws them.";
  return part(
    title,
    el("p", { class: "hint" }, found.count > found.worst.length ? `${more} ${drawn}` : drawn),
    listing("mistakes", [found.place, "true", "predicted", "probability"], ["", "text", "text", ""], rows),
  );
}

// -- values and labels ------------------------------------------------------------------------------------------------

function predicted(found) {
  const figures = found.panels.map((panel) => {
    const figure = el("figure", { class: "curve" });
    figure.draw = () => drawValues(figure, panel, found);
    return figure;
  });
  const some = `${found.places.length} of ${plural(found.of, "example")}, drawn at random.`;
  const hint = found.places.length < found.of ? el("p", { class: "hint" }, some) : null;
  return [part("Predicted and true values", hint, figures), ...listed(found)];
}

function drawValues(figure, { target, true: truth, predicted: values }, { place, places }) {
  chart(figure, `Predicted against true ${target}`, (root, width) => {
    const frame = size(root, width, Math.round(width * 0.8));
    const shown = places.map((_, i) => i).filter((i) => truth[i] !== null && values[i] !== null);
    if (!shown.length) return nothing(root, frame.right, frame.bottom, `No prediction of ${target} is a number`);
    const both = shown.flatMap((i) => [truth[i], values[i]]);
    const x = scale(both, frame.left, frame.right, { log: false });
    const y = scale(both, frame.bottom, frame.top, { log: false });
    axes(root, x, y, frame, [`true ${target}`, `predicted ${target}`]);
    const line = { class: "equal", x1: x(x.low), y1: y(y.low), x2: x(x.high), y2: y(y.high) };
    const layer = svg("g", { class: "examples" });
    const points = shown.map((i) => ({ i, px: x(truth[i]), py: y(values[i]) }));
    for (const { px, py } of points) layer.append(svg("circle", { cx: px.toFixed(1), cy: py.toFixed(1), r: 2.6 }));
    root.append(svg("line", line), layer);
    return {
      shapes: new Map(),
      nearest: (mx, my) => {
        const at = nearestPoint(points, mx, my)?.i;
        if (at === undefined) return null;
        return { lines: [`${place} ${places[at]}`, `true ${truth[at]}`, `predicted ${values[at]}`] };
      },
    };
  });
}

function listed(found) {
  return found.tables.map(({ title, heads, text, rows, notes }) =>
    part(
      title,
      el("div", { class: "scroll" }, listing("mistakes", heads, text.map((is) => (is ? "text" : "")), rows)),
      notes.map((note) => el("p", { class: "hint" }, note)),
    ),
  );
}
