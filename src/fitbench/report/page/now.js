// The section 'Now' of the live page: how far a study is, what runs, and what failed. It stays while the report below it
// is replaced, and changes what has changed alone.

const FAILURES = 10; // failed runs that are listed at most
const ELSEWHERE = 3; // other studies that are named at most
let now = null; // its parts

function nowSection() {
  const part = (name, ...children) => el("div", { class: name, hidden: true }, children);
  const heads = ["run", "epoch", "", "time left"].map((text, i) => el("th", { scope: "col", class: i ? null : "text" }, text));
  const table = el("table", { class: "runs running-runs" }, el("thead", {}, el("tr", {}, heads)), el("tbody"));
  now = {
    live: el("span", { class: "live" }, "live"),
    empty: el("p", { class: "empty", hidden: true }),
    answer: el("p", { class: "answer" }),
    bar: el("div", { class: "progress", role: "progressbar", "aria-label": "Runs that have ended" }),
    counts: el("p", { class: "counts" }),
    best: el("p", { class: "said", hidden: true }),
    elsewhere: el("p", { class: "elsewhere", hidden: true }),
    running: part("running-part", el("h3", {}, "Running"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Running runs" }, table), el("p", { class: "hint more" })),
    curves: part("curves-part", el("div", { class: "heading" }, el("h3", {}, "Curves"), el("div", { class: "controls" })), el("figure"), curvesKey()),
    failed: part("failed-part", el("h3", {}, "Failed"), el("ul", { class: "failures" }), el("p", { class: "hint more" })),
    said: el("p", { class: "unseen", role: "status" }),
  };
  const heading = el("div", { class: "heading" }, el("h2", { id: "now-title" }, "Now"), now.live);
  const { empty, answer, bar, counts, best, elsewhere, running, curves, failed, said } = now;
  const progress = el("div", { class: "how-far" }, answer, bar, counts, best);
  const pair = el("div", { class: "pair" }, running, curves);
  const all = el("section", { id: "now", "aria-labelledby": "now-title" }, heading, empty, progress, elsewhere, pair, failed, said);
  document.querySelector("main").before(all);
  now.chart = growingChart(curves);
  now.rows = keyedRows(table.tBodies[0], runningRow);
  now.failures = keyedRows(failed.querySelector("ul"), failureRow);
  linkNow(table.tBodies[0]);
}

function curvesKey() {
  const names = { validation: "validation", training: "training", ended: "ended" };
  return el("p", { class: "key" }, Object.entries(names).map(([name, text]) => el("span", { class: name }, text)));
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Says something to those who do not see it, when the reader pauses.
function announce(text) {
  now.said.textContent = text;
}

// -- how far the study is ---------------------------------------------------------------------------------------------

// Shows what is known of a study; undefined shows that there is none.
function showNow(name) {
  const study = activity.studies.get(name);
  now.empty.hidden = Boolean(study);
  now.answer.parentNode.hidden = !study;
  if (!study) setText(now.empty, emptyText());
  else progressOf(study);
  elsewhere(name);
  const found = runsNow(name);
  const looks = nowLooks(found.filter(({ state }) => state === "running"));
  runningRuns(found, looks);
  failedRuns(found);
  bestTrialSoFar(study, found);
  now.chart.draw(curvesOf(found, looks));
}

function emptyText() {
  const below = page.paths.join(", ");
  return `No runs yet below ${below}. They appear here when they begin: fitbench train`;
}

function progressOf(study) {
  const known = STATES.map((state) => [state, study[state]]);
  const begun = begunRuns(study);
  const total = Math.max(study.total ?? 0, begun);
  const ended = study.finished + study.pruned + study.failed;
  const [one, many] = study.kind === "search" ? ["trial", "trials"] : ["run", "runs"];
  const whole = `${total.toLocaleString("en-US")} ${total === 1 ? one : many}`;
  const done = ended === total && !study.running;
  setText(now.answer, done ? `${whole}, all ended` : `${ended.toLocaleString("en-US")} of ${whole} ended`);
  const left = study.left === null ? [] : [`about ${duration(study.left)} left`];
  const waiting = total - begun ? [`${(total - begun).toLocaleString("en-US")} to begin`] : [];
  const counts = known.filter(([, count]) => count);
  const text = counts.map(([state, count]) => `${count.toLocaleString("en-US")} ${state}`);
  if (setBar(known, total, ended, [...text, ...waiting, ...left].join(", "))) {
    const badges = counts.map(([state], i) => el("span", { class: `badge ${state}` }, text[i]));
    now.counts.replaceChildren(...badges, ...[...waiting, ...left].map((each) => el("span", {}, each)));
  }
  document.title = study.running ? `${ended}/${total} · ${study.name} · fitbench` : `${study.name} · fitbench report`;
}

// Draws the bar; gives whether what it says has changed.
function setBar(known, total, ended, text) {
  const { bar } = now;
  if (bar.getAttribute("aria-valuetext") === text) return false;
  if (!bar.children.length) bar.append(...known.map(([state]) => el("span", { class: state })));
  known.forEach(([, count], i) => bar.children[i].style.setProperty("--part", `${(100 * count) / (total || 1)}%`));
  fill(bar, { "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": ended, "aria-valuetext": text }, []);
  return true;
}

function bestTrialSoFar(study, found) {
  const having = found.filter(({ state, metric }) => state === "finished" && metric?.better && metric.value !== null);
  now.best.hidden = study?.kind !== "search" || !having.length || having.some(({ metric }) => metric.label !== having[0].metric.label);
  if (now.best.hidden) return;
  const [best] = having.sort((a, b) => inOrder(a.metric.value, b.metric.value, a.metric.better === "higher"));
  setText(now.best, `Best so far: ${best.metric.label} ${write(best.metric, best.metric.value)}, ${best.label}`);
}

// The other studies in which something runs, with links.
function elsewhere(shown) {
  const others = [...activity.studies.values()].filter(({ name, running }) => running && name !== shown);
  const links = others.slice(0, ELSEWHERE).map(({ name, running }) => [name, `${name} (${running} running)`]);
  const more = others.length > links.length ? ` and ${plural(others.length - links.length, "more study", "more studies")}` : "";
  const text = links.length ? `Also active: ${links.map(([, each]) => each).join(", ")}${more}` : "";
  now.elsewhere.hidden = !text;
  if (now.elsewhere.textContent === text) return;
  const made = links.map(([name, each], i) => [i ? ", " : "", el("a", { href: address({ name }) }, each)]);
  const focused = now.elsewhere.contains(document.activeElement);
  now.elsewhere.replaceChildren("Also active: ", ...made.flat(), more);
  if (focused) now.elsewhere.querySelector("a")?.focus();
}

// -- running runs -----------------------------------------------------------------------------------------------------

const nowPlaces = new Map(); // from the folder of a running run to the place of its look, the same while it runs

// The looks of the running runs that are shown, by folder: as many as there are looks, the first that began.
function nowLooks(running) {
  const folders = new Set(running.map(({ folder }) => folder));
  for (const folder of nowPlaces.keys()) if (!folders.has(folder)) nowPlaces.delete(folder);
  const taken = new Set(nowPlaces.values());
  const free = LOOKS.map((_, place) => place).filter((place) => !taken.has(place));
  for (const folder of folders) if (free.length && !nowPlaces.has(folder)) nowPlaces.set(folder, free.shift());
  return new Map([...nowPlaces].map(([folder, place]) => [folder, LOOKS[place]]));
}

function runningRuns(found, looks) {
  const running = found.filter(({ state }) => state === "running");
  const shown = running.filter(({ folder }) => looks.has(folder));
  now.running.hidden = !shown.length;
  now.rows.show(shown, looks);
  const labels = [...new Set(shown.map(({ metric }) => metric?.label).filter(Boolean))];
  setText(now.running.querySelector("thead th:nth-child(3)"), labels.length === 1 ? labels[0] : "metric");
  sayMore(now.running, running.length - shown.length);
}

function sayMore(place, count) {
  const hint = place.querySelector(".more");
  hint.hidden = count <= 0;
  setText(hint, count > 0 ? `and ${count.toLocaleString("en-US")} more` : "");
}

// Rows of a list that is kept up to date. `make(item)` gives { row, update(item, more) }; items are known by their folder.
function keyedRows(body, make) {
  const made = new Map();
  return {
    show: (items, more) => {
      const folders = new Set(items.map(({ folder }) => folder));
      for (const [folder, { row }] of made) {
        if (folders.has(folder)) continue;
        row.remove();
        made.delete(folder);
      }
      items.forEach((item, i) => {
        if (!made.has(item.folder)) made.set(item.folder, make(item));
        const { row, update } = made.get(item.folder);
        if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
        update(item, more);
      });
    },
  };
}

function runningRow({ folder, run_id }) {
  const swatch = el("span", { class: "swatch" });
  const name = el("span");
  const [epoch, metric, left] = [el("span"), el("td"), el("td")];
  const share = el("span", { class: "filled" });
  const row = el(
    "tr",
    { "data-folder": folder },
    el("th", { scope: "row", class: "text fixed", title: run_id }, swatch, name),
    el("td", {}, epoch, el("span", { class: "track", "aria-hidden": "true" }, share)),
    metric,
    left,
  );
  const update = (run, looks) => {
    swatch.style.setProperty("--ink", looks.get(folder).colour);
    setText(name, run.label || run_id);
    setText(epoch, run.epochs ? `${run.epoch ?? 0} of ${run.epochs}` : String(run.epoch ?? 0));
    share.style.setProperty("--part", `${run.epochs ? Math.min(100, (100 * (run.epoch ?? 0)) / run.epochs) : 0}%`);
    setText(metric, run.metric ? write(run.metric, run.metric.value) : ABSENT);
    setText(left, run.left === null ? ABSENT : duration(run.left));
  };
  return { row, update };
}

// Lets the rows of running runs point at their curves.
function linkNow(body) {
  body.addEventListener("pointerover", (event) => hover(event.target.closest("tr")?.dataset.folder ?? null));
  body.addEventListener("pointerleave", () => hover(null));
}

// Those of running runs that are shown, above those of runs that ended while the page was open.
function curvesOf(found, looks) {
  const having = found.filter(({ curve, series }) => curve && series);
  const ended = having.filter(({ state }) => state !== "running").sort((a, b) => a.updated - b.updated);
  const running = having.filter(({ folder }) => looks.has(folder));
  return [...ended.slice(-ENDED), ...running].map((run) => ({ run, look: looks.get(run.folder) ?? null }));
}

// -- failed runs ------------------------------------------------------------------------------------------------------

function failedRuns(found) {
  const failed = found.filter(({ state }) => state === "failed").sort((a, b) => b.updated - a.updated);
  now.failed.hidden = !failed.length;
  now.failures.show(failed.slice(0, FAILURES));
  sayMore(now.failed, failed.length - FAILURES);
}

function failureRow({ folder }) {
  const [name, when, error] = [el("code"), el("span", { class: "when" }), el("span", { class: "error" })];
  const row = el("li", { "data-folder": folder }, el("span", { class: "who" }, name, when), error);
  const update = (run) => {
    setText(name, run.run_id);
    setText(when, age(ago(run.updated)));
    setText(error, run.error ?? "");
  };
  return { row, update };
}
