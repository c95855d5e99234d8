// How far a study is: a bar of its runs by state, their counts, and the best trial of a search so far.

// Gives the element, and `show` of a study and its runs.
function progressPart() {
  const answer = el("p", { class: "answer" });
  const bar = el("div", { class: "progress", role: "progressbar", "aria-label": "Runs that have ended" });
  const counts = el("p", { class: "counts" });
  const best = el("p", { class: "said", hidden: true });
  bar.append(...STATES.map((state) => el("span", { class: state })));

  function show(study, found) {
    const [total, ended] = [totalRuns(study), endedRuns(study)];
    const whole = plural(total, study.kind === "search" ? "trial" : "run");
    setText(answer, hasEnded(study) ? `${whole}, all ended` : `${ended.toLocaleString("en-US")} of ${whole} ended`);
    const told = tellCounts(study, total);
    const text = told.map(([each]) => each).join(", ");
    if (bar.getAttribute("aria-valuetext") !== text) {
      setBar(bar, study, total);
      fill(bar, { "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": ended, "aria-valuetext": text }, []);
      counts.replaceChildren(...told.map(([each, name]) => el("span", { class: name }, each)));
    }
    setText(best, bestOfSearch(study, found));
    best.hidden = !best.textContent;
    const short = `${ended}/${total} · ${study.name} · fitbench report`;
    document.title = study.running ? short : `${study.name} · fitbench report`;
  }

  return { node: el("div", { class: "how-far" }, answer, bar, counts, best), show };
}

// What is said of the runs of a study, each with the class of its element.
function tellCounts(study, total) {
  const states = STATES.filter((state) => study[state]);
  const waiting = total - begunRuns(study);
  return [
    ...states.map((state) => [`${study[state].toLocaleString("en-US")} ${state}`, `badge ${state}`]),
    ...(waiting ? [[`${waiting.toLocaleString("en-US")} to begin`, null]] : []),
    ...(study.left === null ? [] : [[`about ${remaining(study.left, study.newest)} left`, null]]),
  ];
}

function setBar(bar, study, total) {
  STATES.forEach((state, i) => {
    bar.children[i].hidden = !study[state];
    bar.children[i].style.setProperty("--part", `${(100 * study[state]) / total}%`);
  });
}

// The best value of a search, empty without one, or where its runs are measured by several metrics.
function bestOfSearch(study, found) {
  const having = found.filter(({ state, metric }) => study.kind === "search" && state === "finished" && metric?.better);
  if (new Set(having.map(({ metric }) => metric.label)).size !== 1) return "";
  const [{ metric, label }] = having.sort((a, b) =>
    inOrder(a.metric.value, b.metric.value, a.metric.better === "higher"),
  );
  return `Best so far: ${metric.label} ${write(metric, metric.value)}, ${label}`;
}
