// The comparison of groups: a row for each, with its interval. All numbers were computed before, by statistics.py.

function comparison() {
  const section = document.getElementById("comparison");
  if (!data.groups.metrics.length) {
    section.hidden = true;
    return;
  }
  let metric = data.groups.metrics.find((each) => each.name === data.metric) ?? data.groups.metrics[0];
  const sorting = { key: "rank", descending: false };
  const place = section.querySelector(".scroll");
  const table = el("table", { class: "groups" }, el("thead"), el("tbody"), el("tfoot"));
  place.append(table);
  let parts = [];
  const pages = paged(place, table.tBodies[0], (row) => comparisonRow(row, parts));

  function render() {
    parts = comparisonColumns(metric);
    table.tHead.replaceChildren(
      el(
        "tr",
        {},
        parts.map((part) =>
          head(
            part.label,
            { class: part.class ?? "", title: part.title },
            sorting.key === part.key ? sorting.descending : null,
            () => {
              sorting.descending = sorting.key === part.key ? !sorting.descending : Boolean(part.descending);
              sorting.key = part.key;
              render();
              focusSorted(table);
            },
          ),
        ),
      ),
    );
    const by = parts.find((part) => part.key === sorting.key) ?? parts[0];
    pages.show(
      [...metric.rows].sort(
        (a, b) => inOrder(by.value(a), by.value(b), sorting.descending) || inOrder(a.rank, b.rank, false),
      ),
    );
    table.tFoot.replaceChildren(
      el(
        "tr",
        {},
        parts.map((part) =>
          el("td", { class: part.key === "plot" ? "plot" : "" }, part.key === "plot" ? plotAxis(metric) : ""),
        ),
      ),
    );
    section.querySelector(".answer").textContent = answer(metric);
    section.querySelector(".said").textContent = metric.method;
    section.querySelector(".remarks").replaceChildren(...metric.remarks.map((text) => el("p", {}, text)));
  }

  function showMarks() {
    for (const [{ group }, row] of pages.rows) {
      const pointed = [state.hovered, state.selected].some((run) => run !== null && data.groups.of[run] === group);
      row.classList.toggle("hovered", pointed);
      row.classList.toggle("selected", state.group === group);
      row.querySelector("button").setAttribute("aria-pressed", String(state.group === group));
      for (const dot of row.querySelectorAll("circle")) {
        const run = Number(dot.dataset.run);
        dot.classList.toggle("selected", run === state.selected);
        dot.classList.toggle("hovered", run === state.hovered);
      }
    }
  }

  section.querySelector(".controls").append(
    choice(
      "Metric",
      data.groups.metrics.map((each) => [each.name, each.label]),
      metric.name,
      (name) => {
        metric = data.groups.metrics.find((each) => each.name === name);
        Object.assign(sorting, { key: "rank", descending: false });
        render();
      },
    ),
  );
  recolours.push(render);
  marks.push(showMarks);
}

// What the comparison comes to, in a sentence.
function answer(metric) {
  const [best, next] = [...metric.rows].sort((a, b) => inOrder(a.rank, b.rank, false)).filter((row) => row.n);
  const number = (value) => write(metric, value);
  const name = (row) => data.groups.names[row.group];
  const over = best.sd === null ? "(one run)" : `± ${spread(metric, best.sd)} over ${plural(best.n, "run")}`;
  const which = metric.better === "higher" ? "Highest" : "Lowest";
  const first = `${which} ${metric.label}: ${name(best)}, ${number(best.mean)} ${over}.`;
  if (!next || next.difference === null) return first;
  const p = next.p === null ? "" : `, p ${next.p < 0.001 ? "" : "= "}${pValue(next.p)}`;
  return `${first} Next: ${name(next)}, ${signed(metric, next.difference)}${p}.`;
}

// What a column shows of a row, and by what it sorts.
function comparisonColumns(metric) {
  const number = (value) => write(metric, value);
  const higher = metric.better === "higher";
  return [
    { key: "rank", label: "#", value: (row) => row.rank, class: "rank" },
    ...keyColumns(),
    { key: "n", label: "n", value: (row) => row.n, title: "runs that have the metric" },
    {
      key: "mean",
      label: "mean ± sd",
      value: (row) => row.mean,
      descending: higher,
      show: (row) => [
        number(row.mean),
        el("span", { class: "soft" }, row.sd === null ? "" : ` ± ${spread(metric, row.sd)}`),
      ],
      title: "mean and sample standard deviation over the runs",
    },
    {
      key: "plot",
      label: "95% interval",
      value: (row) => row.low,
      descending: higher,
      class: "plot",
      show: (row) => intervalPlot(row, metric),
      title: "interval of the mean (bar), mean (line), single runs (dots)",
    },
    { key: "best", label: "best", value: (row) => row.best, descending: higher, show: (row) => number(row.best) },
    { key: "worst", label: "worst", value: (row) => row.worst, descending: higher, show: (row) => number(row.worst) },
    {
      key: "parameters",
      label: "parameters",
      value: (row) => row.parameters,
      show: (row) => written("integer", row.parameters),
    },
    {
      key: "seconds",
      label: "time",
      value: (row) => row.seconds,
      show: (row) => written("seconds", row.seconds),
      title: "time of the epochs of a run, the median",
    },
    {
      key: "difference",
      label: "to the best",
      value: (row) => row.difference,
      descending: higher,
      show: (row) =>
        row.difference === null
          ? ABSENT
          : [
              signed(metric, row.difference),
              el(
                "span",
                { class: "soft" },
                row.difference_low === null
                  ? ""
                  : ` ${signed(metric, row.difference_low)} to ${signed(metric, row.difference_high)}`,
              ),
            ],
      title: "difference of the means to the best group, and its 95% interval",
    },
    {
      key: "p",
      label: "p (Holm)",
      value: (row) => row.p,
      show: (row) => pValue(row.p),
      title: "p-value of the difference, corrected after Holm for the number of comparisons",
    },
    {
      key: "beats",
      label: "P(beats best)",
      value: (row) => row.beats,
      descending: true,
      show: (row) => (row.beats === null ? ABSENT : `${(100 * row.beats).toFixed(0)}%`),
      title: "probability that one run of this group beats one of the best group",
    },
  ];
}

// A column for each key of the groups; the first one, which stays in view, filters to the group.
function keyColumns() {
  const found = data.groups.by.length ? data.groups.by : [""];
  return found.map((name, i) => ({
    key: `key${i}`,
    label: columns.get(name)?.label ?? (name.replace(/\.name$/, "") || "group"),
    title: name,
    value: (row) => data.groups.keys[row.group][i] ?? null,
    show: (row) => (i ? keyText(data.groups.keys[row.group][i]) : groupButton(row)),
    class: i === 0 ? "text fixed" : typeof data.groups.keys[0][i] === "number" ? "" : "text",
  }));
}

function keyText(value) {
  return written(typeof value === "number" ? "number" : "text", value);
}

function groupButton(row) {
  const name = data.groups.names[row.group];
  const text = data.groups.by.length ? keyText(data.groups.keys[row.group][0]) : name;
  return [
    symbol(groupStyle(row.group)),
    el(
      "button",
      {
        type: "button",
        class: "link",
        title: `Show only the runs of ${name}`,
        "aria-label": name,
        onclick: () => focusGroup(row.group),
      },
      text,
    ),
    row.noted ? el("span", { class: "note", title: "see below the table" }, " *") : null,
  ];
}

function comparisonRow(row, parts) {
  const cells = parts.map((part) => {
    const shown = part.show ? part.show(row) : part.value(row);
    const attributes = part.key === "key0" ? { scope: "row", class: part.class } : { class: part.class };
    return el(part.key === "key0" ? "th" : "td", attributes, typeof shown === "number" ? String(shown) : shown);
  });
  return el("tr", { "data-group": row.group }, cells);
}

function symbol({ colour, shape }) {
  return svg(
    "svg",
    { class: "symbol", viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    svg("path", { d: shape, "--ink": colour }),
  );
}

const PLOT = 190; // pixels

// The same for all rows of a metric.
function plotScale(metric) {
  const values = metric.rows.flatMap((row) => [row.mean, row.low, row.high, row.best, row.worst]);
  metric.scale ??= scale(
    values.filter((value) => value !== null),
    4,
    PLOT - 4,
    { pad: 0.02 },
  );
  return metric.scale;
}

function plotAxis(metric) {
  const x = plotScale(metric);
  const root = svg("svg", { class: "interval", width: PLOT, height: 20, viewBox: `0 0 ${PLOT} 20` });
  const shown = x.ticks.filter((value) => x(value) > 12 && x(value) < PLOT - 12);
  root.append(
    ...shown.flatMap((value) => [
      svg("line", { class: "rule", x1: x(value), x2: x(value), y1: 0, y2: 4 }),
      svg("text", { x: x(value), y: 15, "text-anchor": "middle" }, tickText(value, metric.kind)),
    ]),
  );
  return root;
}

function intervalPlot(row, metric) {
  const x = plotScale(metric);
  const values = columns.get(metric.name).values;
  const { colour } = groupStyle(row.group);
  const root = svg("svg", { class: "interval", width: PLOT, height: 22, viewBox: `0 0 ${PLOT} 22`, "--ink": colour });
  root.append(svg("line", { class: "rule", x1: 0, x2: PLOT, y1: 11, y2: 11 }));
  const interval =
    row.low === null ? "no interval" : `${write(metric, row.low)} to ${write(metric, row.high)}`;
  root.append(svg("title", {}, `mean ${write(metric, row.mean)}, ${interval}`));
  if (row.low !== null) {
    root.append(
      svg("rect", {
        class: "bar",
        x: x(row.low),
        width: Math.max(1, x(row.high) - x(row.low)),
        y: 6,
        height: 10,
        rx: 2,
      }),
    );
  }
  for (const run of row.runs) root.append(svg("circle", { cx: x(values[run]), cy: 11, r: 2.4, "data-run": run }));
  if (row.mean !== null) root.append(svg("line", { class: "mean", x1: x(row.mean), x2: x(row.mean), y1: 2, y2: 20 }));
  root.addEventListener("click", (event) => {
    const at = event.clientX - root.getBoundingClientRect().left;
    const near = row.runs.map((run) => [run, Math.abs(x(values[run]) - at)]).sort((a, b) => a[1] - b[1])[0];
    if (near && near[1] < 12) select(near[0]);
  });
  return root;
}
