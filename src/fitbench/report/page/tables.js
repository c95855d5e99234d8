// Tables that sort and are filled as the reader scrolls, and the table of runs.

const PAGE = 100; // rows that are drawn at once

// A table below `place`. A column is { key, label, title, class, descending, value }: `value(item)` is what it sorts by
// and `descending` how it starts. `row(item, columns)` makes a row; `order` is the order of what is equal.
function sortedTable(place, name, row, order) {
  const body = el("tbody");
  const table = el("table", { class: name }, el("thead"), body, el("tfoot"));
  const hint = el("p", { class: "hint sideways", hidden: true }, "Scroll sideways for more columns →");
  place.append(table);
  place.after(hint);
  let [parts, sorted] = [[], []];
  let sorting = { key: null, descending: false };
  const rows = new Map();
  const items = new WeakMap();

  function more(count = PAGE) {
    for (const item of sorted.slice(rows.size, rows.size + count)) {
      const made = row(item, parts);
      rows.set(item, made);
      items.set(made, item);
      body.append(made);
    }
    mark();
  }

  function sortBy({ key, descending }) {
    sorting = { key, descending: sorting.key === key ? !sorting.descending : Boolean(descending) };
    show(parts, sorted);
    table.querySelector('[aria-sort$="ending"] button')?.focus();
  }

  function show(columns, items) {
    parts = columns;
    const by = parts.find(({ key }) => key === sorting.key);
    const compare = (a, b) => (by && inOrder(by.value(a), by.value(b), sorting.descending)) || order(a, b);
    sorted = [...items].sort(compare);
    const heads = parts.map((part) => {
      const attributes = { class: part.class, title: part.title };
      return head(part.label, attributes, part === by ? sorting.descending : null, () => sortBy(part));
    });
    table.tHead.replaceChildren(el("tr", {}, heads));
    rows.clear();
    body.replaceChildren();
    place.scrollTop = 0;
    more();
    sideways();
  }

  // Says that there are columns beyond the right edge, and fades that edge.
  function sideways() {
    const rest = place.scrollWidth - place.clientWidth - place.scrollLeft;
    place.classList.toggle("more", rest > 1);
    hint.hidden = place.scrollWidth - place.clientWidth <= 1;
  }

  new ResizeObserver(sideways).observe(place);
  place.more = more;
  place.addEventListener("scroll", () => {
    sideways();
    if (rows.size < sorted.length && place.scrollTop + 2 * place.clientHeight > place.scrollHeight) more();
  });
  prints.push(() => more(Infinity));
  return {
    table,
    body,
    rows,
    itemAt: (event) => items.get(event.target.closest("tr")),
    show,
    start: (key, descending) => {
      sorting = { key, descending };
    },
    reveal: (item) => {
      while (!rows.has(item) && rows.size < sorted.length) more();
      rows.get(item)?.scrollIntoView({ block: "nearest" });
    },
    beside: (item, steps) => sorted[sorted.indexOf(item) + steps] ?? null,
  };
}

// A head cell with a button that sorts.
function head(label, attributes, descending, click) {
  const arrow = descending === null ? "" : descending ? "↓" : "↑";
  const sort = descending === null ? "none" : descending ? "descending" : "ascending";
  const button = el("button", { type: "button", onclick: click }, label);
  button.append(el("span", { class: "arrow", "aria-hidden": "true" }, arrow));
  return el("th", { scope: "col", "aria-sort": sort, ...attributes }, button);
}

// Lets the rows of a table point at the runs that they are about; `runOf(item)` is the run of a row, null without one.
function linkRows({ body, rows, itemAt }, runOf) {
  const at = (event) => {
    const item = itemAt(event);
    return item === undefined ? null : runOf(item);
  };
  body.addEventListener("pointerover", (event) => hover(at(event)));
  body.addEventListener("pointerleave", () => hover(null));
  body.addEventListener("click", (event) => {
    const run = at(event);
    if (run !== null) select(run);
  });
  marks.push(() => {
    for (const [item, row] of rows) {
      const run = runOf(item);
      row.classList.toggle("selected", run !== null && run === state.selected);
      row.classList.toggle("hovered", run !== null && run === state.hovered);
    }
  });
}

// -- runs -------------------------------------------------------------------------------------------------------------

function runsTable() {
  const section = document.getElementById("runs");
  const shown = new Set(data.columns.filter((c) => c.shown).map((c) => c.name));
  const pages = sortedTable(section.querySelector(".scroll"), "runs", runRow, (a, b) => a - b);
  const first = columns.get(data.metric && shown.has(data.metric) ? data.metric : "run_id");
  pages.start(first.name, first.better === "higher");

  function render() {
    const parts = data.columns
      .filter((c) => shown.has(c.name))
      .map((of) => ({
        of,
        key: of.name,
        label: of.label,
        title: of.name,
        class: [of.kind === "text" ? "text" : "", of.name === "run_id" ? "fixed" : ""].join(" "),
        descending: of.better === "higher" || of.kind === "moment",
        value: (run) => of.values[run],
      }));
    pages.show(parts, visible);
    if (!visible.length)
      pages.body.append(el("tr", {}, el("td", { class: "empty", colspan: parts.length }, "No run passes the filter.")));
  }

  linkRows(pages, (run) => run);
  section.querySelector(".controls").append(columnPicker(shown, render));
  redraws.push(render);
  return pages;
}

function runRow(run, parts) {
  const cells = parts.map(({ of, class: name }) => {
    const found = of.values[run];
    const text = write(of, found);
    if (of.name === "run_id") {
      const swatch = el("span", { class: "swatch", "--ink": coding.of(run).colour });
      const button = el("button", { type: "button", class: "link", title: text }, text);
      return el("th", { scope: "row", class: name }, swatch, button);
    }
    if (of.name === "state") return el("td", { class: name }, badge(found));
    const title = of.kind === "moment" && found !== null ? moment(found) : text.length > 24 ? text : null;
    return el("td", { class: name, title }, text);
  });
  return el("tr", { "data-run": run }, cells);
}

function badge(found) {
  const known = ["finished", "failed", "pruned", "running", "interrupted"].includes(found) ? found : "";
  return el("span", { class: `badge ${known}` }, found ?? ABSENT);
}

function columnPicker(shown, changed) {
  const list = el("div", { class: "menu" });
  for (const c of data.columns.filter((each) => each.name !== "run_id")) {
    list.append(
      tick(c.name, shown.has(c.name), (on) => {
        if (on) shown.add(c.name);
        else shown.delete(c.name);
        changed();
      }),
    );
  }
  return el("details", { class: "picker" }, el("summary", {}, "Columns"), list);
}
