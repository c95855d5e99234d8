// A metric against a cost, a mark for each run, with the Pareto front.

function scatterChart() {
  const section = document.getElementById("scatter");
  section.hidden = data.count < 2; // one run is no choice between costs
  if (section.hidden) return;
  const numbers = data.columns.filter(
    (c) => c.values.some((value) => typeof value === "number") && c.kind !== "moment" && c.kind !== "text",
  );
  const metrics = numbers.filter((c) => c.part === "metric");
  if (!metrics.length) {
    section.querySelector("figure").append(el("p", { class: "empty" }, "No finished run has a metric."));
    return;
  }
  const costs = numbers.filter((c) => c.part !== "metric" || c.better === null || !metrics.includes(c));
  const others = [...costs, ...metrics];
  const usual = ["parameters", "timing.fit_seconds", "timing.seconds"].map((name) => columns.get(name)).filter(Boolean);
  const start = usual.find((c) => distinct(c).length > 1) ?? usual[0];
  const options = { x: (start ?? others[0]).name, y: (metrics.find((c) => c.name === data.metric) ?? metrics[0]).name };
  const view = chart(section.querySelector("figure"), "A metric against a cost, one mark per run", (root, width) => {
    const frame = size(root, width, height(width));
    return scatter(root, frame, columns.get(options.x), columns.get(options.y));
  });
  const pick = (key) => (name) => {
    options[key] = name;
    view.render();
  };
  const listed = (list) => list.map((c) => [c.name, c.title]);
  section
    .querySelector(".controls")
    .append(
      choice("Up", listed(metrics), options.y, pick("y")),
      choice("Across", listed(others), options.x, pick("x")),
    );
  redraws.push(view.render);
  marks.push(view.mark);
}

function scatter(root, frame, across, up) {
  const isEnded = (run) => valueOf("state", run) !== "pruned"; // what a pruned run has was measured too early
  const shown = visible.filter(
    (run) => typeof across.values[run] === "number" && typeof up.values[run] === "number" && isEnded(run),
  );
  if (!shown.length) return nothing(root, frame.right, frame.bottom, "No run to draw");
  const at = (of) => shown.map((run) => of.values[run]);
  const x = scale(at(across), frame.left, frame.right, { of: across, margin: 0.1 });
  const y = scale(at(up), frame.bottom, frame.top, { of: up, margin: 0.1 });
  axes(root, x, y, frame, [across.title, up.title]);
  const front = across.better && up.better && across !== up ? paretoFront(shown, across, up) : [];
  if (front.length) root.append(frontLine(front, x, y, across, up, frame));
  const shapes = new Map();
  const layer = svg("g", { class: shown.length > THIN ? "dots small" : "dots" });
  const inFront = new Set(front);
  const points = shown.map((run) => ({ run, px: x(across.values[run]), py: y(up.values[run]) }));
  for (const { run, px, py } of points)
    shapes.set(run, [dot(layer, [px, py], coding.of(run), inFront.has(run) ? "front" : null)]);
  root.append(layer);
  return {
    shapes,
    nearest: (mx, my) => {
      const run = nearestPoint(points, mx, my)?.run;
      if (run === undefined) return null;
      const lines = [up, across].map((of) => `${of.title} ${write(of, of.values[run])}`);
      return { run, lines: [labelOf(run), ...lines, ...(inFront.has(run) ? ["on the Pareto front"] : [])] };
    },
  };
}

// The runs that no other run beats in one and equals in the other; equal runs are on it together.
function paretoFront(shown, across, up) {
  const [signX, signY] = [across, up].map((of) => (of.better === "lower" ? 1 : -1));
  const key = (run) => [signX * across.values[run], signY * up.values[run]];
  const sorted = [...shown].sort((a, b) => key(a)[0] - key(b)[0] || key(a)[1] - key(b)[1]);
  const front = [];
  let [best, at] = [Infinity, null]; // the least y so far, and the x that has it
  for (const run of sorted) {
    const [x, y] = key(run);
    if (y < best) [best, at] = [y, x];
    if (y === best && x === at) front.push(run);
  }
  return front;
}

function frontLine(front, x, y, across, up, frame) {
  const steps = front.map((run) => [x(across.values[run]), y(up.values[run])]);
  const end = across.better === "lower" ? frame.right : frame.left;
  const d = steps
    .map(([px, py], i) => (i ? `H${px.toFixed(1)}V${py.toFixed(1)}` : `M${px.toFixed(1)},${py.toFixed(1)}`))
    .join("");
  const treads = steps.map(([px, py], i) => [px, steps[i + 1]?.[0] ?? end, py]);
  const [from, to, at] = treads.reduce((longest, tread) =>
    Math.abs(tread[1] - tread[0]) > Math.abs(longest[1] - longest[0]) ? tread : longest,
  );
  return svg(
    "g",
    { class: "pareto" },
    svg("path", { d: `${d}H${end}` }),
    svg("text", { x: (from + to) / 2, y: at - 6, "text-anchor": "middle" }, "Pareto front"),
  );
}
