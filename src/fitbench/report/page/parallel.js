// Parallel coordinates: a line for each run, through its configuration to its metric.

const AXIS_ROOM = 104; // pixels between two axes at least

function parallelChart() {
  const section = document.getElementById("parallel");
  const shown = data.parallel.map((name) => columns.get(name));
  section.hidden = shown.length < 2;
  if (section.hidden) return;
  const figure = section.querySelector("figure");
  const view = chart(figure, "Parallel coordinates, one line per run", (root, width) => {
    const whole = Math.max(width, AXIS_ROOM * shown.length);
    size(root, whole, 320);
    return parallel(root, whole, shown, view);
  });
  redraws.push(view.render);
  marks.push(view.mark);
}

function parallel(root, width, shown) {
  const frame = { left: 50, right: width - 50, top: 40, bottom: 284 };
  const gap = (frame.right - frame.left) / (shown.length - 1);
  const order = apart(shown.at(-1));
  const axisList = shown.map((of, i) => ({ of, x: frame.left + i * gap, ...verticalAxis(of, frame, order) }));
  const lines = visible.map((run) => ({ run, points: axisList.map(({ x, y }) => [x, y(run)]) }));
  const shapes = drawLines(root, lines);
  axisList.forEach((axis) => root.append(drawnAxis(axis, frame, 16, brush(axis, frame))));
  return {
    shapes,
    nearest: (px, py) => {
      const found = py > frame.top - 8 ? nearestLine(lines, px, py) : null;
      if (!found) return null;
      return {
        run: found.run,
        lines: [labelOf(found.run), ...shown.map((of) => `${of.label} ${write(of, of.values[found.run])}`)],
      };
    },
  };
}

// The place of each run by the values of a column, from -0.5 to 0.5: it spreads lines that meet in a category.
function apart(by) {
  const sorted = [...by.values.keys()].sort((a, b) => inOrder(by.values[a], by.values[b], false));
  const places = [];
  sorted.forEach((run, i) => {
    places[run] = sorted.length > 1 ? i / (sorted.length - 1) - 0.5 : 0;
  });
  return places;
}

function verticalAxis(of, frame, order) {
  const found = distinct(of);
  const absent = frame.bottom + 18;
  if (of.kind === "text" || typeof found[0] !== "number" || (of.part === "config" && found.length <= 4)) {
    const step = (frame.bottom - frame.top) / Math.max(found.length, 1);
    const places = new Map(found.map((value, i) => [value, frame.bottom - (i + 0.5) * step]));
    const y = (run) =>
      of.values[run] === null ? absent : places.get(of.values[run]) - order[run] * Math.min(step * 0.5, 60);
    const every = Math.ceil(found.length / 16);
    const ticks = found
      .filter((_, i) => i % every === 0)
      .map((value) => [places.get(value), write(of, value), value]);
    const rangeText = (from, to) =>
      found
        .filter((value) => places.get(value) >= from && places.get(value) <= to)
        .map(String)
        .join(", ");
    return { y, ticks, rangeText };
  }
  const numbers = found.filter((value) => typeof value === "number");
  const [low, high] = extent(numbers);
  const log = of.log ?? (low > 0 && high / low > 50);
  const place = scale(numbers, frame.bottom, frame.top, { log, pad: 0.02 });
  const y = (run) => (typeof of.values[run] === "number" ? place(of.values[run]) : absent);
  const rangeText = (from, to) => [to, from].map((at) => tickText(place.back(at), of.kind)).join(" to ");
  return { y, ticks: place.ticks.map((value) => [place(value), tickText(value, of.kind)]), rangeText };
}

// The part of an axis that filters, and what the pointer drags along.
function brush({ of, x, y, rangeText }, frame) {
  const range = state.ranges.get(of.name);
  const hit = svg("rect", {
    class: "hit",
    x: x - 14,
    y: frame.top - 6,
    width: 28,
    height: frame.bottom - frame.top + 32,
  });
  const shown = svg("rect", {
    class: "brush",
    x: x - 7,
    width: 14,
    y: range?.from ?? 0,
    height: range ? range.to - range.from : 0,
  });
  brushing(hit, shown, of, y, rangeText);
  return [shown, hit];
}

// An axis whose name has so many letters at most; `over` lies on top of it.
function drawnAxis({ of, x, ticks }, frame, letters, over = []) {
  return svg(
    "g",
    { class: "axis vertical" },
    svg(
      "text",
      { class: "name", x, y: 14, "text-anchor": "middle" },
      shortened(of.label, letters),
      svg("title", {}, of.name),
    ),
    svg("line", { class: "base", x1: x, x2: x, y1: frame.top, y2: frame.bottom }),
    ticks.map(([at, text]) => [
      svg("line", { class: "notch", x1: x - 3, x2: x + 3, y1: at, y2: at }),
      svg("text", { x: x + 6, y: at, dy: "0.32em" }, shortened(text, 14)),
    ]),
    of.values.includes(null) ? svg("text", { x: x + 6, y: frame.bottom + 18, dy: "0.32em" }, "none") : null,
    over,
  );
}

function brushing(hit, shown, of, y, rangeText) {
  let start = null;
  const place = (event) => event.clientY - hit.ownerSVGElement.getBoundingClientRect().top;
  const span = (event) => [start, place(event)].sort((a, b) => a - b);
  hit.addEventListener("pointerdown", (event) => {
    start = place(event);
    hit.setPointerCapture(event.pointerId);
  });
  hit.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const [from, to] = span(event);
    shown.setAttribute("y", from);
    shown.setAttribute("height", to - from);
  });
  hit.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const [from, to] = span(event);
    start = null;
    if (to - from > 4) {
      const test = (run) => y(run) >= from && y(run) <= to;
      state.ranges.set(of.name, Object.assign(test, { from, to, rangeText: rangeText(from, to) }));
      dragged = true;
      redraw();
    } else if (state.ranges.delete(of.name)) {
      dragged = true;
      redraw();
    }
  });
}
