// Puts the page together: which study is shown, and its sections. The fragment of the address says which.

const ALL = "all studies";

// The study that is shown and its set, by the fragment, as in #study=grid&data=digits; else all studies together if the
// page has them, or the newest study, and its first set; null where it has none yet.
function chosen() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const every = page.every && { name: ALL, sets: page.every };
  const named = page.studies.find(({ name }) => name === wanted.get("study"));
  const study = named ?? every ?? page.studies[0];
  return [study, study.sets.find(({ label }) => label === wanted.get("data")) ?? study.sets[0] ?? null];
}

function address(study, set) {
  const of = study.sets === page.every ? { all: "" } : { study: study.name };
  return `#${new URLSearchParams({ ...of, ...(set ? { data: set.label } : {}) })}`;
}

function selectors(study, set) {
  const place = document.getElementById("which");
  const studies = [...(page.every ? [{ name: ALL, sets: page.every }] : []), ...page.studies];
  const go = (to, of) => {
    location.hash = address(to, of);
  };
  const placeOf = (found) => String(studies.findIndex(({ sets }) => sets === found.sets));
  const names = studies.map((of, i) => [String(i), `${of.name} (${plural(of.runs ?? runsOf(of), "run")})`]);
  const sets = study.sets.map(({ label, count }, i) => [String(i), `${label} (${plural(count, "run")})`]);
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  place.replaceChildren(
    studies.length > 1 ? choice("Study", names, placeOf(study), (i) => go(studies[i])) : "",
    sets.length > 1 ? choice("Data", sets, String(study.sets.indexOf(set)), (i) => go(study, study.sets[i])) : "",
  );
  if (focused) place.querySelector(`[aria-label="${focused}"]`)?.focus();
}

function runsOf(study) {
  return study.sets.reduce((sum, { count }) => sum + count, 0);
}

function header(study) {
  document.querySelector("h1").textContent = study.name;
  document.title = `${study.name} · fitbench report`;
}

function summary() {
  const states = data.states.map(([name, count]) => `${count.toLocaleString("en-US")} ${name}`).join(", ");
  const written = page.live ? "" : `written ${moment(page.written)} by fitbench ${page.version}`;
  const runs = `${plural(data.count, "run")}${page.live ? " in the report below" : ""}`;
  const of = [data.label, `${runs}: ${states}`, written].filter(Boolean);
  document.getElementById("summary").textContent = of.join(" · ");
  const notices = document.querySelector("main .notices");
  for (const text of data.notices) notices.append(el("p", { class: "notice" }, text));
  const constant = document.getElementById("constant");
  if (data.constant.length) {
    constant.hidden = false;
    constant.querySelector("summary").textContent =
      `${plural(data.constant.length, "setting is", "settings are")} the same in all runs`;
    constant.querySelector("dl").replaceWith(facts(data.constant.map(([name, value]) => [name, String(value)])));
  }
}

function leftOut() {
  document.getElementById("foot").textContent = `Runs below ${page.paths.join(", ")}`;
  const before = document.getElementById("left-out");
  before?.remove();
  if (!page.left_out.length) return;
  const list = el(
    "ul",
    {},
    page.left_out.map(([folder, reason]) => el("li", {}, el("code", {}, folder), ` ${reason}`)),
  );
  const summary = `${plural(page.left_out.length, "file, folder or study is", "files, folders or studies are")} left out`;
  const attributes = { class: "notice", id: "left-out", open: before?.open ?? false };
  const details = el("details", attributes, el("summary", {}, summary), list);
  document.getElementById("notices").append(details);
}

function themeSwitch() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const isDark = () => (chosen ? chosen === "dark" : system.matches);
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `${button.textContent} theme`);
  };
  button.addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    name();
  });
  system.addEventListener("change", name);
  name();
}

addEventListener("keydown", (event) => {
  if (state.selected === null || event.target.matches("input, select, textarea")) return;
  if (event.key === "Escape") select(null);
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.picker[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});

function show() {
  if (state.selected !== null && state.selected !== undefined) select(null);
  build();
}

// Builds the sections of the study that is shown. `restore` may change the state that they begin with.
function build(restore = () => {}) {
  const [study, set] = chosen();
  reset();
  selectors(study, set);
  header(study);
  document.querySelector("main").replaceChildren();
  if (set) {
    use(set);
    restore();
    sections(study);
  }
  shows.forEach((act) => act(study));
}

function sections(study) {
  document.querySelector("main").append(document.getElementById("study").content.cloneNode(true));
  summary();
  filterBar();
  legend();
  comparison(study);
  searches();
  curvesChart();
  scatterChart();
  parallelChart();
  runs = runsTable();
  recolour();
}

addEventListener("hashchange", () => page.studies.length && show());
addEventListener("beforeprint", () => prints.forEach((act) => act()));
leftOut();
themeSwitch();
if (!page.live) show();
