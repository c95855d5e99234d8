// Parallel coordinates: a line for each run, or each trial of a search, through its configuration to its metric.

const AXIS_ROOM = 104; // pixels between two axes at least
const HEIGHT = { whole: 320, top: 40, bottom: 284 };
const CATEGORY_TICKS = 16; // values of an axis that are named at most

function parallelChart() {
  const section = document.getElementById("parallel");
  const shown = data.parallel.map((name) => columns.get(name));
  section.hidden = shown.length < 2;
  if (section.hidden) return;
  const view = chart(section.querySelector("figure"), "Parallel coordinates, one line per run", (root, width) => {
    const lines = () => visible.map((run) => ({ run, item: run }));
    const told = ({ run }) => [labelOf(run), ...shown.map((of) => `${of.label} ${write(of, of.values[run])}`)];
    return parallel(root, width, shown, lines, told, brush);
  });
  redraws.push(view.render);
  marks.push(view.mark);
}

// `lines` gives the lines in the order in which they are drawn: `item` is the place of one in the values of columns,
// `run` is its run. `told` gives what the tooltip says of a line, `over` what lies on top of an axis.
function parallel(root, room, shown, lines, told, over = () => []) {
  const width = Math.max(room, AXIS_ROOM * shown.length);
  size(root, width, HEIGHT.whole);
  const frame = { left: 62, right: width - 62, top: HEIGHT.top, bottom: HEIGHT.bottom };
  const gap = (frame.right - frame.left) / (shown.length - 1);
  const order = apart(shown.at(-1));
  const all = shown.map((of, i) => ({ of, x: frame.left + i * gap, ...verticalAxis(of, frame, order) }));
  const drawn = lines().map((line) => ({ ...line, points: all.map(({ x, y }) => [x, y(line.item)]) }));
  const shapes = drawLines(root, drawn);
  for (const axis of all) root.append(drawnAxis(axis, frame, Math.min(gap / 7, 20), over(axis, frame)));
  return {
    shapes,
    nearest: (px, py) => {
      const found = py > frame.top - 8 ? nearestLine(drawn, px, py) : null;
      return found && { run: found.run, lines: told(found) };
    },
  };
}

// The place of each item by the values of a column, from -0.5 to 0.5: it spreads lines that meet in a category.
function apart(by) {
  const sorted = [...by.values.keys()].sort((a, b) => inOrder(by.values[a], by.values[b], false));
  const places = [];
  sorted.forEach((item, i) => {
    places[item] = sorted.length > 1 ? i / (sorted.length - 1) - 0.5 : 0;
  });
  return places;
}

// Where the items stand on an axis, its ticks as a place and a text, and what a range of it is called. `kept` gives a
// range without pixels, from which `pixels` gives it on the axis of other runs; null where none of its values is left.
function verticalAxis(of, frame, order) {
  const found = distinct(of);
  const absent = frame.bottom + 18;
  if (of.kind === "text" || typeof found[0] !== "number" || (of.part === "config" && found.length <= 4)) {
    const step = (frame.bottom - frame.top) / Math.max(found.length, 1);
    const places = new Map(found.map((value, i) => [value, frame.bottom - (i + 0.5) * step]));
    const every = Math.ceil(found.length / CATEGORY_TICKS);
    const within = (from, to) => found.filter((value) => places.get(value) >= from && places.get(value) <= to);
    return {
      y: (item) =>
        of.values[item] === null ? absent : places.get(of.values[item]) - order[item] * Math.min(step * 0.5, 60),
      ticks: found.filter((_, i) => i % every === 0).map((value) => [places.get(value), write(of, value)]),
      rangeText: (from, to) => within(from, to).map(String).join(", "),
      kept: (from, to) => ({ from, to, found, values: within(from, to) }),
      pixels: (kept) => {
        if (String(kept.found) === String(found)) return [kept.from, kept.to];
        const centres = kept.values.filter((value) => places.has(value)).map((value) => places.get(value));
        return centres.length ? [Math.min(...centres) - step / 2, Math.max(...centres) + step / 2] : null;
      },
    };
  }
  const numbers = found.filter((value) => typeof value === "number");
  const limits = of.better ? of : { kind: of.kind }; // the ends of a parameter's interval are no limits
  const place = scale(numbers, frame.bottom, frame.top, { of: limits, log: of.log ?? null, margin: 0.02 });
  const texts = of.kind === "seconds" ? (ends) => ends.map(duration) : differentTexts;
  return {
    y: (item) => (typeof of.values[item] === "number" ? place(of.values[item]) : absent),
    ticks: place.ticks.map(([value, tick]) => [place(value), tick]),
    rangeText: (from, to) => texts([to, from].map(place.back)).join(" to "),
    kept: (from, to) => [place.back(from), place.back(to)],
    pixels: (kept) => kept.map(place),
  };
}

// An axis whose name has so many letters at most; `over` lies on top of it.
function drawnAxis({ of, x, ticks }, frame, letters, over) {
  const name = svg("text", { class: "name", x, y: 14, "text-anchor": "middle" }, shortened(of.label, letters));
  name.append(svg("title", {}, of.name));
  return svg(
    "g",
    { class: "axis vertical" },
    name,
    svg("line", { class: "base", x1: x, x2: x, y1: frame.top, y2: frame.bottom }),
    ticks.map(([at, text]) => [
      svg("line", { class: "notch", x1: x - 3, x2: x + 3, y1: at, y2: at }),
      svg("text", { x: x + 7, y: at, dy: "0.32em" }, shortened(text, 14)),
    ]),
    of.values.includes(null) ? svg("text", { x: x + 6, y: frame.bottom + 18, dy: "0.32em" }, "none") : null,
    over,
  );
}

// A test whether a run lies between two pixels of an axis.
function rangeTest({ y, rangeText, kept }, from, to) {
  const test = (run) => y(run) >= from && y(run) <= to;
  return Object.assign(test, { from, to, rangeText: rangeText(from, to), kept: kept(from, to) });
}

// Filters by a range that an axis of other runs has kept.
function restoreRange(name, kept) {
  if (!data.parallel.includes(name)) return;
  const axis = verticalAxis(columns.get(name), HEIGHT, apart(columns.get(data.parallel.at(-1))));
  const pixels = axis.pixels(kept);
  if (pixels) state.ranges.set(name, rangeTest(axis, ...pixels));
}

// The part of an axis that filters, and what the pointer drags along.
function brush(axis, frame) {
  const { of, x } = axis;
  const range = state.ranges.get(of.name);
  const box = { x: x - 14, y: frame.top - 6, width: 28, height: frame.bottom - frame.top + 32 };
  const hit = svg("rect", { class: "hit", ...box });
  const [top, height] = range ? [range.from, range.to - range.from] : [0, 0];
  const shown = svg("rect", { class: "brush", x: x - 7, width: 14, y: top, height });
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
    const drawn = to - from > 4;
    if (!drawn && !state.ranges.delete(of.name)) return;
    if (drawn) state.ranges.set(of.name, rangeTest(axis, from, to));
    dragged = true;
    redraw();
  });
  return [shown, hit];
}
