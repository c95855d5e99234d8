// The section 'Now' of the live page: how far a study is, what runs, and what failed. It stays while the report below
// it is replaced, and updates change what has changed alone.

const FAILURES = 5; // failed runs that are listed at most
const ELSEWHERE = 3; // other studies that are named at most

// Puts the section above the report. Gives `show` of the name of a study, undefined where there is none, `announce` of
// a text to those who do not see the page, `connected` of whether the server answers, and `mark`.
function nowSection() {
  const badge = el("span", { class: "live" }, "live");
  const heading = el("div", { class: "heading" }, el("h2", { id: "now-title" }, "Now"), badge);
  const below = `No runs yet below ${page.paths.join(", ")}. They appear here when they begin: `;
  const empty = el("p", { class: "empty", hidden: true }, below, el("code", {}, "fitbench train"));
  const [progress, running, failures, elsewhere] = [progressPart(), runningPart(), failuresPart(), elsewherePart()];
  const said = el("p", { class: "unseen", role: "status" });
  const parts = [progress.node, elsewhere.node, running.node, failures.node];
  const attributes = { id: "now", tabindex: "-1", "aria-labelledby": "now-title" };
  document.querySelector("main").before(el("section", attributes, heading, empty, parts, said));

  return {
    show: (name) => {
      const study = activity.studies.get(name);
      const found = runsNow(name);
      empty.hidden = Boolean(study);
      if (!study) {
        for (const part of parts) part.hidden = true;
        badge.classList.add("idle");
        return;
      }
      progress.node.hidden = false;
      progress.show(study);
      badge.classList.toggle("idle", !study.active);
      elsewhere.show(name);
      running.show(study, found);
      failures.show(found);
    },
    announce: (text) => {
      said.textContent = text;
    },
    connected: (answers) => {
      badge.classList.toggle("off", !answers);
      setText(badge, answers ? "live" : "waiting");
    },
    mark: running.mark,
  };
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Shows a text, or hides the element where there is none.
function say(node, text) {
  setText(node, text);
  node.hidden = !text;
}

function sayMore(hint, count) {
  hint.hidden = count <= 0;
  setText(hint, `and ${count.toLocaleString("en-US")} more`);
}

// A function that shows items below `body`, each of which is known by its folder. `make(item)` gives { row, update }:
// `update(item, more)` brings the row up to date.
function keyedRows(body, make) {
  const made = new Map();
  return (items, more) => {
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
  };
}

// The other studies in which something runs, with links.
function elsewherePart() {
  const node = el("p", { class: "elsewhere", hidden: true });
  const show = (shown) => {
    const others = [...activity.studies.values()].filter(({ name, active }) => active && name !== shown);
    const named = others.slice(0, ELSEWHERE).map(({ name, active }) => [name, `${name} (${active} running)`]);
    const rest = others.length - named.length;
    const more = rest ? ` and ${plural(rest, "more study", "more studies")}` : "";
    const text = `Also active: ${named.map(([, each]) => each).join(", ")}${more}`;
    const focused = [...node.querySelectorAll("a")].indexOf(document.activeElement);
    node.hidden = !named.length;
    if (node.textContent === text) return;
    const links = named.map(([name, each], i) => [i ? ", " : "", el("a", { href: address({ name }) }, each)]);
    node.replaceChildren("Also active: ", ...links.flat(), more);
    if (focused < 0) return;
    const next = node.querySelectorAll("a")[focused] ?? document.getElementById("now");
    next.focus({ preventScroll: true });
  };
  return { node, show };
}

// The runs that failed, the newest first, each with the last line of its error.
function failuresPart() {
  const [list, more] = [el("ul", { class: "failures" }), el("p", { class: "hint" })];
  const node = el("div", { class: "failed-part" }, el("h3", {}, "Failed"), list, more);
  const rows = keyedRows(list, failureRow);
  const show = (found) => {
    const failed = found.filter(({ state }) => state === "failed").sort((a, b) => b.updated - a.updated);
    node.hidden = !failed.length;
    rows(failed.slice(0, FAILURES));
    sayMore(more, failed.length - FAILURES);
  };
  return { node, show };
}

function failureRow({ run_id }) {
  const [when, error] = [el("span", { class: "when" }), el("span", { class: "error" })];
  const row = el("li", {}, el("span", { class: "who" }, el("code", {}, run_id), when), error);
  const update = (run) => {
    setText(when, age(ago(run.updated)));
    setText(error, run.error ?? "");
  };
  return { row, update };
}
