// The comparison of groups: the columns of `fitbench compare`, with a drawing of each interval.

const PLOT = 170; // pixels of a drawing
const OF_THE_METRIC = ["mean", "low", "best", "worst", "difference"]; // columns that begin with the best value

function comparison(study) {
  const section = document.getElementById("comparison");
  section.hidden = !data.groups.metrics.length;
  if (section.hidden) return;
  const single = data.count < 2; // nothing to rank: the result in a sentence
  section.querySelector("h2").textContent = single ? "Result" : "Comparison";
  for (const part of section.querySelectorAll(".said, .scroll, .remarks")) part.hidden = single;
  const { metrics } = data.groups;
  let metric = metrics.find((each) => each.name === data.metric) ?? metrics[0];
  const row = (item, parts) => comparisonRow(metric, item, parts);
  const pages = sortedTable(section.querySelector(".scroll"), "groups", row, (a, b) => a - b);

  function render() {
    const items = [...metric.groups.keys()];
    const parts = metric.columns.map((of, i) => comparisonPart(metric, of, i));
    pages.show(parts, items);
    const below = parts.map(({ of }) => el("td", {}, of.values.low ? plotAxis(metric) : ""));
    pages.table.tFoot.replaceChildren(el("tr", {}, below));
    section.querySelector(".answer").textContent = metric.answer;
    section.querySelector(".said").textContent = metric.method;
    const remarks = section.querySelector(".remarks");
    remarks.replaceChildren(remarks.firstElementChild, ...metric.details.map((text) => el("p", {}, text)));
  }

  marks.push(() => {
    for (const [item, made] of pages.rows) {
      const group = metric.groups[item];
      const pointed = [state.hovered, state.selected].some((run) => run !== null && data.groups.of[run] === group);
      made.classList.toggle("hovered", pointed);
      made.classList.toggle("selected", state.group === group);
      made.querySelector("button").setAttribute("aria-pressed", String(state.group === group));
      for (const circle of made.querySelectorAll("circle")) {
        circle.classList.toggle("selected", Number(circle.dataset.run) === state.selected);
        circle.classList.toggle("hovered", Number(circle.dataset.run) === state.hovered);
      }
    }
  });
  otherSets(study, section.querySelector(".others"));
  const offered = metrics.map((each) => [each.name, each.label]);
  section.querySelector(".controls").append(
    choice("Metric", offered, metric.name, (name) => {
      metric = metrics.find((each) => each.name === name);
      pages.start(null, false);
      render();
    }),
  );
  recolours.push(render);
}

// What the comparisons of the study's other data sets came to, with a link to each.
function otherSets(study, list) {
  const others = study.sets.filter((set) => set !== data && set.groups.metrics.length);
  list.hidden = !others.length;
  for (const set of others) {
    const { answer } = set.groups.metrics.find(({ name }) => name === set.metric) ?? set.groups.metrics[0];
    list.append(el("li", {}, el("a", { href: address(study, set) }, set.label), ` ${answer}`));
  }
}

// A column as a table takes it. It sorts by its first values; the interval of the mean, and the first key, are drawn.
function comparisonPart(metric, of, i) {
  const [values = of.cells] = Object.values(of.values);
  const isName = of === (metric.columns.find((each) => each.key) ?? metric.columns[0]);
  const names = { text: !of.right, fixed: isName, plot: of.values.low, rank: of.values.rank, mean: of.values.mean };
  return {
    of,
    isName,
    key: i,
    label: of.head,
    title: of.title,
    class: Object.keys(names).filter((name) => names[name]).join(" "),
    descending: metric.better === "higher" && OF_THE_METRIC.some((name) => of.values[name]),
    value: (item) => values[item],
  };
}

function comparisonRow(metric, item, parts) {
  const group = metric.groups[item];
  const cells = parts.map(({ of, isName, class: name }) => {
    if (isName) return el("th", { scope: "row", class: name }, groupButton(group, of.cells[item]));
    return el("td", { class: name }, of.values.low ? intervalPlot(metric, item) : of.cells[item]);
  });
  const isFirst = parts.some(({ of }) => of.values.rank?.[item] === 1);
  return el("tr", { "data-group": group, class: isFirst ? "first" : null }, cells);
}

function groupButton(group, text) {
  const name = data.groups.names[group];
  const attributes = { type: "button", class: "link", title: `Show only the runs of ${name}`, "aria-label": name };
  return [symbol(groupLook(group)), el("button", { ...attributes, onclick: () => focusGroup(group) }, text)];
}

// -- the drawing of an interval ---------------------------------------------------------------------------------------

function valuesOf(metric, name) {
  return metric.columns.find((of) => of.values[name]).values[name];
}

// The same for all rows of a metric.
function plotScale(metric) {
  const singles = metric.runs.flat().map((run) => columns.get(metric.name).values[run]);
  const values = [...valuesOf(metric, "low"), ...valuesOf(metric, "high"), ...singles];
  metric.scale ??= scale(values.filter((value) => value !== null), 4, PLOT - 4, { of: metric, margin: 0.02 });
  return metric.scale;
}

function plotAxis(metric) {
  const x = plotScale(metric);
  const root = svg("svg", { class: "interval", width: PLOT, height: 20, viewBox: `0 0 ${PLOT} 20` });
  for (const [value, text] of x.ticks.filter(([at]) => x(at) > 12 && x(at) < PLOT - 12)) {
    root.append(
      svg("line", { class: "rule", x1: x(value), x2: x(value), y1: 0, y2: 4 }),
      svg("text", { x: x(value), y: 15, "text-anchor": "middle" }, text),
    );
  }
  return root;
}

function intervalPlot(metric, item) {
  const x = plotScale(metric);
  const { values } = columns.get(metric.name);
  const runs = metric.runs[item];
  const [mean, low, high] = ["mean", "low", "high"].map((name) => valuesOf(metric, name)[item]);
  const { colour } = groupLook(metric.groups[item]);
  const root = svg("svg", { class: "interval", width: PLOT, height: 22, viewBox: `0 0 ${PLOT} 22`, "--ink": colour });
  root.append(
    svg("title", {}, metric.columns.find((of) => of.values.low).cells[item]),
    svg("line", { class: "rule", x1: 0, x2: PLOT, y1: 11, y2: 11 }),
  );
  if (low !== null) {
    const width = Math.max(1, x(high) - x(low));
    root.append(svg("rect", { class: "bar", x: x(low), width, y: 6, height: 10, rx: 2 }));
  }
  for (const run of runs) root.append(svg("circle", { cx: x(values[run]), cy: 11, r: 2.4, "data-run": run }));
  if (mean !== null) root.append(svg("line", { class: "mean", x1: x(mean), x2: x(mean), y1: 2, y2: 20 }));
  root.addEventListener("click", (event) => {
    const at = event.clientX - root.getBoundingClientRect().left;
    const near = runs.map((run) => [run, Math.abs(x(values[run]) - at)]).sort((a, b) => a[1] - b[1])[0];
    if (near && near[1] < 12) select(near[0]);
  });
  return root;
}
