// A chart: its axes, its lines, and what the pointer does over it. Drawn anew whenever the width or the runs change.

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

// -- what charts are made of ------------------------------------------------------------------------------------------

// Draws the axes of two scales; `names` are what they are called, across and up.
function axes(root, x, y, { left, right, top, bottom }, [across, up]) {
  const lines = svg("g", { class: "axis" });
  for (const [value, text] of y.ticks) {
    const at = y(value);
    lines.append(
      svg("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }),
      svg("text", { x: left - 7, y: at, dy: "0.32em", "text-anchor": "end" }, text),
    );
  }
  for (const [value, text] of x.ticks) {
    const at = x(value);
    lines.append(
      svg("line", { class: "notch", x1: at, x2: at, y1: bottom, y2: bottom + 4 }),
      svg("text", { x: at, y: bottom + 16, "text-anchor": "middle" }, text),
    );
  }
  lines.append(
    svg("line", { class: "base", x1: left, x2: right, y1: bottom, y2: bottom }),
    svg("text", { class: "name", x: right, y: bottom + 31, "text-anchor": "end" }, across),
    up ? svg("text", { class: "name", x: 2, y: 11 }, up) : "",
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

// Draws a mark at a place.
function dot(layer, [x, y], { colour, shape }, name = null) {
  const drawn = svg("path", {
    d: shape,
    transform: `translate(${x.toFixed(1)},${y.toFixed(1)})`,
    "--ink": colour,
    class: name,
  });
  layer.append(drawn);
  return drawn;
}

// The point that is nearest to the pointer, null without any nearby.
function nearestPoint(points, mx, my) {
  let [best, distance] = [null, NEAR];
  for (const point of points) {
    const away = Math.hypot(point.px - mx, point.py - my);
    if (away < distance) [best, distance] = [point, away];
  }
  return best;
}

function nearestLine(lines, px, py) {
  let [best, distance] = [null, NEAR];
  for (const line of lines) {
    const away = Math.abs(heightAt(line.points, px) - py);
    if (away < distance) [best, distance] = [line, away];
  }
  return best;
}

function labelOf(run) {
  return valueOf("run_id", run);
}

function height(width) {
  return Math.round(Math.min(380, Math.max(250, width * 0.56)));
}
