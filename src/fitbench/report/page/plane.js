// A chart: scales, axes, and what the pointer does over it. Drawn anew whenever the width or the runs change.

const MARGIN = { left: 52, right: 14, top: 26, bottom: 36 };
const NEAR = 30; // pixels from the pointer within which a run is meant
let dragged = false; // the click that ends a drag selects nothing

// `draw(root, width)` fills the svg and gives { nearest(x, y), shapes }: nearest says what the pointer is at, as
// { run or group, x, y, lines }; shapes maps a run to the elements that stand for it.
function chart(place, label, draw) {
  const root = svg("svg", { class: "chart", role: "img", "aria-label": label });
  const over = svg("g", { class: "over" });
  place.append(root);
  let drawn = { nearest: () => null, shapes: new Map() };
  let width = 0;

  function render() {
    width = Math.floor(place.clientWidth);
    if (!width) return;
    root.replaceChildren();
    drawn = draw(root, width);
    root.append(over);
    showMarks();
  }

  function showMarks() {
    const marked = [
      [state.selected, "selected"],
      [state.hovered, "hovered"],
    ].filter(([run]) => drawn.shapes.has(run));
    root.classList.toggle("dimmed", marked.length > 0);
    over.replaceChildren(
      ...marked.flatMap(([run, kind]) =>
        drawn.shapes.get(run).map((shape) => {
          const copy = shape.cloneNode(true);
          copy.classList.add(kind);
          return copy;
        }),
      ),
    );
  }

  function at(event) {
    const box = root.getBoundingClientRect();
    return drawn.nearest(event.clientX - box.left, event.clientY - box.top);
  }

  root.addEventListener("pointermove", (event) => {
    const found = event.buttons ? null : at(event);
    hover(found?.run ?? null);
    root.classList.toggle("pointing", Boolean(found && (found.run ?? found.group) !== undefined));
    showTooltip(found, event);
  });
  root.addEventListener("pointerleave", () => {
    hover(null);
    showTooltip(null);
  });
  root.addEventListener("pointerdown", () => {
    dragged = false;
  });
  root.addEventListener("click", (event) => {
    const found = dragged ? null : at(event);
    if (found?.run !== undefined) select(found.run);
    else if (found?.group !== undefined) focusGroup(found.group);
  });
  new ResizeObserver(() => Math.floor(place.clientWidth) !== width && render()).observe(place);
  return { render, mark: showMarks };
}

function showTooltip(found, event) {
  const tooltip = document.getElementById("tooltip");
  tooltip.hidden = !found;
  if (!found) return;
  tooltip.replaceChildren(...found.lines.map((line, i) => el("div", { class: i ? "" : "first" }, line)));
  const box = tooltip.getBoundingClientRect();
  const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
  const top = Math.min(event.clientY + 14, innerHeight - box.height - 8);
  tooltip.style.left = `${Math.max(4, left)}px`;
  tooltip.style.top = `${Math.max(4, top)}px`;
}

// -- scales -----------------------------------------------------------------------------------------------------------

// From values to pixels, with the ticks of the axis. A logarithmic one leaves out what is not positive.
function scale(values, from, to, { log = false, pad = 0.04, whole = false } = {}) {
  const finite = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  let [low, high] = finite.length ? extent(finite) : [0, 1];
  const forward = log ? Math.log10 : (value) => value;
  let [a, b] = [forward(low), forward(high)];
  if (a === b) [a, b] = log ? [a - 0.3, b + 0.3] : [a - (Math.abs(a) * 0.05 || 0.5), b + (Math.abs(b) * 0.05 || 0.5)];
  else [a, b] = [a - (b - a) * pad, b + (b - a) * pad];
  const place = (value) => from + ((forward(value) - a) / (b - a)) * (to - from);
  place.log = log;
  place.back = (pixel) => {
    const position = a + ((pixel - from) / (to - from)) * (b - a);
    return log ? 10 ** position : position;
  };
  const room = Math.max(2, Math.floor(Math.abs(to - from) / (from > to ? 32 : 44)));
  place.ticks = log ? logTicks(a, b, room) : linearTicks(a, b, room, whole);
  return place;
}

function linearTicks(low, high, count, whole) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((factor) => factor * power >= rough) * power, whole ? 1 : 0);
  if (!(Math.max(-low, high) / step < 2 ** 50)) return [low, high]; // numbers that are too large to be counted up to
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i += 1)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function logTicks(low, high, count) {
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      ticks.push(...factors.map((factor) => factor * 10 ** power));
    }
    const inside = ticks.filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
    if (inside.length <= count + 1) return inside.length > 1 ? inside : [10 ** low, 10 ** high];
    if (factors.length === 1) return inside.filter((_, i) => i % Math.ceil(inside.length / count) === 0);
  }
  return [];
}

function tickText(value, kind) {
  if (kind === "seconds") return value < 60 ? `${Number(value.toPrecision(4))} s` : duration(value);
  const size = Math.abs(value);
  if (size >= 1e12) return value.toExponential(0);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`;
  if (size > 0 && size < 0.001) return value.toExponential(0);
  return String(Number(value.toPrecision(4)));
}

function axes(root, x, y, { left, right, top, bottom }, labels) {
  const lines = svg("g", { class: "axis" });
  for (const value of y.ticks) {
    const at = y(value);
    lines.append(
      svg("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }),
      svg("text", { x: left - 7, y: at, dy: "0.32em", "text-anchor": "end" }, tickText(value, labels.yKind)),
    );
  }
  for (const value of x.ticks) {
    const at = x(value);
    lines.append(
      svg("line", { class: "notch", x1: at, x2: at, y1: bottom, y2: bottom + 4 }),
      svg("text", { x: at, y: bottom + 16, "text-anchor": "middle" }, tickText(value, labels.xKind)),
    );
  }
  lines.append(
    svg("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }),
    svg("text", { class: "name", x: right, y: bottom + 31, "text-anchor": "end" }, labels.x),
    labels.y ? svg("text", { class: "name", x: 2, y: 11 }, labels.y) : "",
  );
  root.append(lines);
}

function nothing(root, width, height, text) {
  root.append(svg("text", { class: "nothing", x: width / 2, y: height / 2, "text-anchor": "middle" }, text));
  return { nearest: () => null, shapes: new Map() };
}

// Gives the frame that the axes leave to what is drawn.
function size(root, width, height) {
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  root.setAttribute("width", width);
  root.setAttribute("height", height);
  return { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
}

// The line through the points that exist; a point between two gaps is a dot.
function path(points) {
  let drawn = "";
  points.forEach(([, y], i) => {
    if (!Number.isFinite(y)) return;
    const [x] = points[i];
    const open = i === 0 || !Number.isFinite(points[i - 1][1]);
    const alone = open && (i === points.length - 1 || !Number.isFinite(points[i + 1][1]));
    drawn += `${open ? "M" : "L"}${x.toFixed(1)},${y.toFixed(1)}${alone ? "h0.01" : ""}`;
  });
  return drawn;
}

// Where the line through the points is at x, NaN outside of it.
function heightAt(points, x) {
  for (let i = 1; i < points.length; i += 1) {
    const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
    if (x >= x0 && x <= x1) return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0 || 1);
  }
  return points.length === 1 && Math.abs(points[0][0] - x) < NEAR ? points[0][1] : NaN;
}

const THIN = 150; // lines; with more, they are drawn thinner

// Draws a line for each run through its points; gives the shapes of the runs.
function drawLines(root, lines) {
  const layer = svg("g", { class: lines.length > THIN ? "lines thin" : "lines" });
  const shapes = new Map();
  for (const { run, points, colour = coding.of(run).colour } of lines) {
    const line = svg("path", { d: path(points), "--ink": colour });
    if (run !== undefined) shapes.set(run, [...(shapes.get(run) ?? []), line]);
    layer.append(line);
  }
  root.append(layer);
  return shapes;
}

function labelOf(run) {
  return valueOf("run_id", run);
}

function height(width) {
  return Math.round(Math.min(380, Math.max(250, width * 0.56)));
}
