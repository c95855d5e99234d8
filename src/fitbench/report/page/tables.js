// The table of runs, and how long tables are filled.

const PAGE = 100; // rows that are drawn at once; more come as the reader scrolls

// Fills a table body as the reader scrolls: `row(item)` makes the row of one of the sorted items.
function paged(place, body, row) {
  let sorted = [];
  const rows = new Map();
  function more(count = PAGE) {
    for (const item of sorted.slice(rows.size, rows.size + count)) {
      const made = row(item);
      rows.set(item, made);
      body.append(made);
    }
    mark();
  }
  place.addEventListener("scroll", () => {
    if (rows.size < sorted.length && place.scrollTop + 2 * place.clientHeight > place.scrollHeight) more();
  });
  addEventListener("beforeprint", () => more(Infinity));
  return {
    rows,
    show: (items) => {
      sorted = items;
      rows.clear();
      body.replaceChildren();
      place.scrollTop = 0;
      more();
    },
    reveal: (item) => {
      while (!rows.has(item) && rows.size < sorted.length) more();
      rows.get(item)?.scrollIntoView({ block: "nearest" });
    },
    beside: (item, steps) => sorted[sorted.indexOf(item) + steps] ?? null,
  };
}

// -- runs -------------------------------------------------------------------------------------------------------------

function runsTable() {
  const section = document.getElementById("runs");
  const place = section.querySelector(".scroll");
  const shown = new Set(data.columns.filter((c) => c.shown).map((c) => c.name));
  const sorting = { name: data.metric && shown.has(data.metric) ? data.metric : "run_id", descending: false };
  sorting.descending = startsDescending(columns.get(sorting.name));
  const body = el("tbody");
  const table = el("table", { class: "runs" }, el("thead"), body);
  place.append(table);
  const listed = () => data.columns.filter((c) => shown.has(c.name));
  const pages = paged(place, body, (run) => runRow(run, listed()));

  function render() {
    const heads = listed().map((c) =>
      head(
        c.label,
        { class: c.kind === "text" ? (c.name === "run_id" ? "text fixed" : "text") : "", title: c.name },
        sorting.name === c.name ? sorting.descending : null,
        () => {
          sorting.descending = sorting.name === c.name ? !sorting.descending : startsDescending(c);
          sorting.name = c.name;
          render();
          focusSorted(table);
        },
      ),
    );
    table.tHead.replaceChildren(el("tr", {}, heads));
    const { values } = columns.get(sorting.name);
    pages.show([...visible].sort((a, b) => inOrder(values[a], values[b], sorting.descending) || a - b));
    if (!visible.length)
      body.append(el("tr", {}, el("td", { class: "empty", colspan: heads.length }, "No run passes the filter.")));
  }

  function showMarks() {
    for (const [run, row] of pages.rows) {
      row.classList.toggle("selected", run === state.selected);
      row.classList.toggle("hovered", run === state.hovered);
    }
  }

  body.addEventListener("pointerover", (event) => hover(runOf(event)));
  body.addEventListener("pointerleave", () => hover(null));
  body.addEventListener("click", (event) => {
    const run = runOf(event);
    if (run !== null) select(run);
  });
  section.querySelector(".controls").append(columnPicker(shown, render));
  redraws.push(render);
  marks.push(showMarks);
  return pages;
}

function focusSorted(table) {
  table.querySelector('[aria-sort="ascending"] button, [aria-sort="descending"] button')?.focus();
}

function startsDescending(of) {
  return of.better === "higher" || of.kind === "moment";
}

function runOf(event) {
  const row = event.target.closest("tr[data-run]");
  return row ? Number(row.dataset.run) : null;
}

function runRow(run, listed) {
  const cells = listed.map((c) => {
    const found = c.values[run];
    const text = write(c, found);
    if (c.name === "run_id") {
      const { colour } = coding.of(run);
      return el(
        "th",
        { scope: "row", class: "text fixed" },
        el("span", { class: "swatch", "--ink": colour }),
        el("button", { type: "button", class: "link", title: text }, text),
      );
    }
    if (c.name === "state") return el("td", { class: "text" }, badge(found));
    const title = c.kind === "moment" && found !== null ? moment(found) : text.length > 24 ? text : null;
    return el("td", { class: c.kind === "text" ? "text" : "", title }, text);
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
