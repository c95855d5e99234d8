// Learning curves: of single runs, or the means of groups with their intervals.

function curvesChart() {
  const section = document.getElementById("curves");
  if (!data.series.length) {
    section.querySelector("figure").append(el("p", { class: "empty" }, "No run has recorded an epoch."));
    return;
  }
  const offered = data.series.map(({ name, label }) => [name, label]);
  const grouped = Object.keys(data.groups.curves).length > 0 && data.groups.names.length < data.count;
  const options = { series: data.series[0], groups: grouped, log: null };
  const view = chart(section.querySelector("figure"), "Learning curves", (root, width) => {
    const frame = size(root, width, height(width));
    return (options.groups ? groupCurves : runCurves)(root, frame, options);
  });
  const log = tick("log", false, (on) => {
    options.log = on;
    view.render();
  });
  section.querySelector(".controls").append(
    choice("Metric", offered, options.series.name, (name) => {
      Object.assign(options, { series: data.series.find((each) => each.name === name), log: null });
      view.render();
    }),
    grouped
      ? segments(
          "Lines",
          [
            ["groups", "Groups"],
            ["runs", "Runs"],
          ],
          "groups",
          (key) => {
            options.groups = key === "groups";
            view.render();
          },
        )
      : "",
    log,
  );
  options.shown = (on) => {
    log.querySelector("input").checked = on;
  };
  redraws.push(view.render);
  marks.push(view.mark);
}

// The vertical axis. The reader may choose whether it is logarithmic; the choice starts as the axis would be.
function verticalScale(values, frame, options) {
  const y = scale(values, frame.bottom, frame.top, { of: options.series, log: options.log, enclose: true });
  options.shown(y.log);
  return y;
}

function epochScale(epochs, frame) {
  return scale(epochs, frame.left, frame.right, { log: false, margin: 0.02, whole: true });
}

function runCurves(root, frame, options) {
  const shown = visible.filter((run) => seriesOf(run, options.series.name));
  if (!shown.length) return nothing(root, frame.right, frame.bottom, "No run to draw");
  const values = shown.flatMap((run) => seriesOf(run, options.series.name));
  const x = epochScale(shown.flatMap((run) => ends(epochsOf(run))), frame);
  const y = verticalScale(values, frame, options);
  axes(root, x, y, frame, ["epoch", options.series.label]);
  const lines = shown.map((run) => ({
    run,
    points: pointsOf(epochsOf(run), seriesOf(run, options.series.name), x, y),
  }));
  const shapes = drawLines(root, lines);
  return {
    shapes,
    nearest: (px, py) => {
      const found = nearestLine(lines, px, py);
      if (!found) return null;
      const epochs = epochsOf(found.run);
      const i = closest(epochs, x.back(px));
      const value = seriesOf(found.run, options.series.name)[i];
      return { run: found.run, lines: [labelOf(found.run), `epoch ${epochs[i]}: ${write(options.series, value)}`] };
    },
  };
}

const MOST_BANDS = 5; // curves with bands; the bands of more would hide each other

function groupCurves(root, frame, options) {
  const groups = new Set(visible.map((run) => data.groups.of[run]));
  const shown = (data.groups.curves[options.series.name] ?? []).filter((curve) => groups.has(curve.group));
  if (!shown.length) return runCurves(root, frame, options); // only the best groups have a curve
  const banded = shown.length <= MOST_BANDS && shown.some(({ low }) => low.some((value) => value !== null));
  const values = shown
    .flatMap(({ mean, low, high, tails }) => [mean, ...(banded ? [low, high] : []), ...tails.map(([, v]) => v)])
    .flat();
  const epochs = shown.flatMap((curve) => [...ends(curve.epochs), ...curve.tails.flatMap(([e]) => ends(e))]);
  const x = epochScale(epochs, frame);
  const y = verticalScale(values, frame, options);
  axes(root, x, y, frame, ["epoch", `${options.series.label}, mean${banded ? " and 95% interval" : ""}`]);
  const [bands, layer] = [svg("g", { class: "bands" }), svg("g", { class: "means" })];
  root.append(bands, layer);
  const lines = shown.toReversed().map((curve) => ({ curve, points: groupCurve(banded && bands, layer, curve, x, y) }));
  return {
    shapes: new Map(),
    nearest: (px, py) => {
      const found = nearestLine(lines, px, py);
      if (!found) return null;
      const { group, epochs, mean, low, high } = found.curve;
      const i = closest(epochs, x.back(px));
      const text = (value) => write(options.series, value);
      const interval = low[i] === null ? "" : `, ${text(low[i])} to ${text(high[i])}`;
      return { group, lines: [data.groups.names[group], `epoch ${epochs[i]}: mean ${text(mean[i])}${interval}`] };
    },
  };
}

// Draws the mean of a group, its band where there is a layer for bands, and the runs that continued; gives the points of
// the mean.
function groupCurve(bands, layer, curve, x, y) {
  const { colour, dash } = groupLook(curve.group);
  const place = (values) => pointsOf(curve.epochs, values, x, y);
  for (const [from, to] of bands ? stretches(curve.low) : []) {
    const [low, high] = [place(curve.low).slice(from, to), place(curve.high).slice(from, to).reverse()];
    const outline = [...low, ...high].filter(([, py]) => Number.isFinite(py));
    const points = outline.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(" ");
    bands.append(svg("polygon", { points, "--ink": colour }));
  }
  for (const [epochs, values] of curve.tails)
    layer.append(svg("path", { class: "tail", d: path(pointsOf(epochs, values, x, y)), "--ink": colour }));
  const points = place(curve.mean);
  layer.append(svg("path", { d: path(points), "--ink": colour, "stroke-dasharray": dash || null }));
  return points;
}

// The beginnings and ends of what has no gap.
function stretches(values) {
  const found = [];
  values.forEach((value, i) => {
    if (value === null) return;
    if (i && values[i - 1] !== null) found.at(-1)[1] = i + 1;
    else found.push([i, i + 1]);
  });
  return found.filter(([from, to]) => to - from > 1);
}

// The values of a run by epoch, undefined where its history has none.
function seriesOf(run, name) {
  return recorded("histories", run)?.series[name];
}

function epochsOf(run) {
  const { epochs } = recorded("histories", run);
  return typeof epochs === "number" ? Array.from({ length: epochs }, (_, i) => i + 1) : epochs;
}

function ends(values) {
  return values.length ? [values[0], values.at(-1)] : [];
}

function pointsOf(epochs, values, x, y) {
  return epochs.map((epoch, i) => [x(epoch), values[i] === null || (y.log && values[i] <= 0) ? NaN : y(values[i])]);
}

function closest(sorted, wanted) {
  return sorted.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(sorted[best] - wanted) ? i : best), 0);
}
