// The chart of the curves of running runs, which grow.

const ENDED = 20; // curves of runs that ended while the page was open at most
const POINTS = 300; // epochs of a curve that are drawn at most

// `place` is an element with a figure and controls. `draw` takes the runs that have a curve, each with its look, which
// is null where the run has ended.
function growingChart(place) {
  const options = { series: null, log: null, shown: () => {} };
  let [offered, lines] = [[], []];
  const view = chart(place.querySelector("figure"), "Learning curves of running runs", (root, width) => {
    const frame = size(root, width, Math.min(320, height(width)));
    return growingCurves(root, frame, lines, options);
  });
  const log = tick("log", false, (on) => {
    options.log = on;
    view.render();
  });
  options.shown = (on) => {
    log.querySelector("input").checked = on;
  };

  function offer(series) {
    if (String(series.map(({ name }) => name)) === String(offered.map(({ name }) => name))) return;
    offered = series;
    options.series = series.find(({ name }) => name === options.series?.name) ?? series[0];
    const pick = (name) => {
      Object.assign(options, { series: offered.find((each) => each.name === name), log: null });
      view.render();
    };
    const names = series.map(({ name, label }) => [name, label]);
    place.querySelector(".controls").replaceChildren(choice("Curve of", names, options.series.name, pick), log);
  }

  return {
    mark: view.mark,
    draw: (drawn) => {
      const isDrawn = ({ run, look }, i) => lines[i]?.run.curve === run.curve && lines[i].look === look;
      if (drawn.length === lines.length && drawn.every(isDrawn)) return;
      lines = drawn;
      place.hidden = !drawn.length;
      const series = new Map(drawn.flatMap(({ run }) => run.series.map((each) => [each.name, each])));
      if (series.size) offer([...series.values()]);
      view.render();
    },
  };
}

function growingCurves(root, frame, drawn, options) {
  const { series } = options;
  const parts = [
    ["training", series.name],
    ["validation", `val_${series.name}`],
  ];
  const curves = drawn.flatMap(({ run, look }) =>
    parts
      .filter(([, name]) => run.curve.values[name]?.some((value) => value !== null))
      .map(([part, name]) => ({ run, look, part, ...thinnedCurve(run.curve.epoch, run.curve.values[name]) })),
  );
  if (!curves.length) return nothing(root, frame.right, frame.bottom, "No epoch has ended yet");
  const x = epochScale([1, lastEpoch(drawn)], frame);
  const y = verticalScale(curves.flatMap(({ values }) => values), frame, options);
  axes(root, x, y, frame, ["epoch", series.label]);
  const layer = svg("g", { class: "lines growing" });
  const shapes = new Map();
  for (const curve of curves) {
    curve.points = pointsOf(curve.epochs, curve.values, x, y);
    const name = curve.look ? curve.part : `${curve.part} ended`;
    const line = svg("path", { class: name, d: path(curve.points), "--ink": (curve.look ?? OTHERS).colour });
    shapes.set(curve.run.folder, [...(shapes.get(curve.run.folder) ?? []), line]);
    layer.append(line);
  }
  root.append(layer);
  return { shapes, nearest: (px, py) => toldAt(nearestLine(curves, px, py), x.back(px), series) };
}

function toldAt(found, epoch, series) {
  if (!found) return null;
  const i = closest(found.epochs, epoch);
  return { lines: [found.run.label, `epoch ${found.epochs[i]}: ${found.part} ${write(series, found.values[i])}`] };
}

// The end of the axis: all epochs that are asked for, unless the curves would fill less than half of it.
function lastEpoch(drawn) {
  const reached = Math.max(...drawn.map(({ run }) => run.curve.epoch.at(-1) ?? 1));
  const asked = Math.max(...drawn.map(({ run }) => run.epochs ?? 1));
  return Math.max(2, reached, Math.min(asked, 2 * reached));
}

// So many epochs, evenly spaced, with the last one.
function thinnedCurve(epochs, values) {
  const step = Math.ceil(epochs.length / POINTS);
  const kept = (list) => (step > 1 ? list.filter((_, i) => (list.length - 1 - i) % step === 0) : list);
  return { epochs: kept(epochs), values: kept(values) };
}
