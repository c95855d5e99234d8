// Puts the page together.

function header() {
  const states = data.states.map(([name, count]) => `${count.toLocaleString("en-US")} ${name}`).join(", ");
  const runs = `${plural(data.count, "run")}${states ? `: ${states}` : ""}`;
  const written = `written ${moment(data.written)} by fitbench ${data.version}`;
  document.getElementById("summary").textContent = `${runs} · ${written}`;
  document.getElementById("foot").textContent = `Runs below ${data.paths.join(", ")}`;
  if (data.left_out.length) {
    const list = el(
      "ul",
      {},
      data.left_out.map(([folder, reason]) => el("li", {}, el("code", {}, folder), ` ${reason}`)),
    );
    const many = plural(data.left_out.length, "file or folder is", "files or folders are");
    const summary = `${many} left out: not readable`;
    document.getElementById("notices").append(el("details", { class: "notice" }, el("summary", {}, summary), list));
  }
  for (const text of data.notices) document.getElementById("notices").append(el("p", { class: "notice" }, text));
  const constant = document.getElementById("constant");
  if (data.constant.length) {
    constant.hidden = false;
    constant.querySelector("summary").textContent =
      `${plural(data.constant.length, "setting is", "settings are")} the same in all runs`;
    constant.querySelector("dl").replaceWith(facts(data.constant.map(([name, value]) => [name, String(value)])));
  }
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

header();
themeSwitch();
filterBar();
legend();
searches();
comparison();
curvesChart();
scatterChart();
parallelChart();
runs = runsTable();
recolour();
