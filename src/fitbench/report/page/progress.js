// How far a study is: a bar of its runs by state, their counts, and the best trial of a search.

// Gives the element, and `show` of a study.
function progressPart() {
  const answer = el("p", { class: "answer" });
  const bar = el("div", { class: "progress", role: "progressbar", "aria-label": "Runs that have ended" });
  const counts = el("p", { class: "counts" });
  const [beside, best] = [el("p", { class: "said beside", hidden: true }), el("p", { class: "said best", hidden: true })];
  bar.append(...STATES.map((state) => el("span", { class: state })));

  function show(study) {
    const [{ total }, ended] = [study, endedRuns(study)];
    const whole = plural(total, study.kind === "search" ? "trial" : "run");
    const haveEnded = total > 0 && ended === total;
    setText(answer, haveEnded ? `${whole}, all ended` : `${ended.toLocaleString("en-US")} of ${whole} ended`);
    const left = study.left === null ? [] : [[`about ${remaining(study.left, study.newest)} left`, null]];
    const told = [...tellCounts(study), ...(haveEnded ? [] : left)];
    const others = study.beside ? [...tellCounts(study.beside), ...(haveEnded ? left : [])] : [];
    const text = told.map(([each]) => each).join(", ");
    setBar(bar, study);
    if (bar.getAttribute("aria-valuetext") !== text) {
      fill(bar, { "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": ended, "aria-valuetext": text }, []);
      counts.replaceChildren(...told.map(([each, name]) => el("span", { class: name }, each)));
    }
    say(beside, others.length ? `Besides the trials, ${besides(study.beside, others)}` : "");
    say(best, study.best ? `${haveEnded ? "Best" : "Best so far"}: ${study.best}` : "");
    const short = `${ended}/${total} · ${study.name} · fitbench report`;
    document.title = study.active ? short : `${study.name} · fitbench report`;
  }

  return { node: el("div", { class: "how-far" }, answer, bar, counts, beside, best), show };
}

// What is said of runs or trials, each with the class of its element.
function tellCounts(counted) {
  const states = STATES.filter((state) => counted[state]);
  const waiting = counted.waiting ? [[`${counted.waiting.toLocaleString("en-US")} not begun`, null]] : [];
  return [
    ...states.map((state) => [`${counted[state].toLocaleString("en-US")} ${state}`, `badge ${state}`]),
    ...waiting,
  ];
}

function besides({ total }, told) {
  return `${plural(total, "run")}: ${told.map(([each]) => each).join(", ")}`;
}

function setBar(bar, study) {
  bar.style.setProperty("--reached", `${100 * study.reached}%`);
  STATES.forEach((state, i) => {
    bar.children[i].hidden = !study[state];
    bar.children[i].style.setProperty("--part", `${(100 * study[state]) / study.total}%`);
  });
}
