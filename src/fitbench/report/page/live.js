// Keeps the live page up to date: asks the server what has changed, and fetches the content of the study that is shown.

const HIDDEN = 30; // seconds between two questions while nobody sees the page
const PATIENCE = { notice: 10, answer: 60 }; // seconds without an answer until the page says so, and until it gives up
const SHARE = 20; // building the page anew takes a 20th of the time at most

const live = {
  token: null,
  asked: null, // when the question that is not answered yet was asked, in milliseconds of performance.now()
  answered: performance.now(), // when the server answered last
  problem: null, // why the last question was not answered
  stale: null, // why the content of the study that is shown is not brought up to date
  connected: true,
  timer: null,
  shown: null, // the name of the study that is shown
  address: null, // of its set
  listed: "", // what the selector of studies says
  renewing: false,
  rebuilt: { at: -Infinity, took: 0 },
};

// The answer of the server and the problem, one of which is null.
async function fetched(address) {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(1000 * PATIENCE.answer), cache: "no-store" });
    const answer = await response.json();
    return response.ok ? [answer, null] : [null, answer.error];
  } catch {
    return [null, "No connection to fitbench"];
  }
}

async function ask() {
  clearTimeout(live.timer);
  if (live.asked !== null) return;
  live.asked = performance.now();
  const since = live.token === null ? "" : `?${new URLSearchParams({ since: live.token })}`;
  const [answer, problem] = await fetched(`changes${since}`);
  Object.assign(live, { asked: null, problem });
  const { interval } = page.live;
  live.timer = setTimeout(ask, 1000 * (document.hidden ? Math.max(HIDDEN, interval) : interval));
  if (answer) take(answer);
  else if (live.shown === null) begin();
  connection();
}

// Brings an answer onto the page. How long that took is the measure 'fitbench update' of the browser.
function take(answer) {
  const start = performance.now();
  const isFirst = live.token === null;
  [live.token, live.answered] = [answer.token, start];
  const changed = takeChanges(answer);
  if (answer.left_out) {
    page.left_out = answer.left_out;
    leftOut();
  }
  listStudies(isFirst);
  if (page.studies.some(({ name }) => name === live.shown)) {
    listChoices();
    now.show(live.shown);
    renew();
  } else begin();
  if (!isFirst) announceFailures(changed);
  performance.clearMeasures("fitbench update");
  performance.measure("fitbench update", { start });
}

// Shows a study, or that there is none.
function begin() {
  if (page.studies.length) return show();
  live.shown = null;
  if (state.selected !== null && state.selected !== undefined) select(null);
  for (const place of [document.querySelector("main"), document.getElementById("which")]) place.replaceChildren();
  document.querySelector("h1").textContent = live.token === null ? page.title : "No runs yet";
  document.title = "fitbench report";
  document.getElementById("summary").textContent = "";
  now.show(undefined);
}

// Lists the studies that the server names: the newest first, then those that begin before those that are listed.
function listStudies(isFirst) {
  const held = new Map(page.studies.map((study) => [study.name, study]));
  const newest = [...activity.studies.values()].sort((a, b) => b.newest - a.newest).map(({ name }) => name);
  const listed = page.studies.map(({ name }) => name).filter((name) => activity.studies.has(name));
  const order = isFirst ? newest : [...newest.filter((name) => !held.has(name)), ...listed];
  page.studies = order.map((name) => held.get(name) ?? { name, sets: [], report: 0 });
  for (const study of page.studies) study.runs = activity.studies.get(study.name).runs;
}

// What the selector of studies says.
function studyTexts() {
  return JSON.stringify(page.studies.map(({ name, runs }) => [name, runs]));
}

function listChoices() {
  if (studyTexts() === live.listed || isOpen()) return;
  live.listed = studyTexts();
  selectors(...chosen());
}

function announceFailures(changed) {
  const failed = changed.filter(([run, before]) => run.state === "failed" && before?.state !== "failed");
  const told = failed.filter(([run]) => run.study === live.shown).map(([run]) => run);
  if (told.length === 1) now.announce(`${told[0].run_id} failed: ${told[0].error ?? ""}`);
  else if (told.length) now.announce(`${told.length} runs failed`);
}

// -- the content of the study that is shown ---------------------------------------------------------------------------

// Fetches the content of the study that is shown if there is a newer one, and shows it when the reader does nothing.
async function renew() {
  const [name, wanted] = [live.shown, activity.studies.get(live.shown)];
  const study = page.studies.find((each) => each.name === name);
  const rested = performance.now() - live.rebuilt.at > SHARE * live.rebuilt.took;
  if (live.renewing || !wanted || wanted.report === study.report || !rested) return;
  live.renewing = true;
  const nothing = [{ sets: [], report: 0 }, null];
  const [found, problem] = wanted.report ? await fetched(`study?${new URLSearchParams({ name })}`) : nothing;
  if (found) await untilIdle();
  Object.assign(live, { renewing: false, stale: problem });
  if (!found || found.report === study.report) return;
  const start = performance.now();
  Object.assign(study, { sets: found.sets, report: found.report });
  if (live.shown === name) rebuild();
  live.rebuilt = { at: performance.now(), took: performance.now() - start };
}

shows.push((study) => {
  const [, set] = chosen();
  const shown = address(study, set);
  if (live.address !== shown) choices.clear();
  Object.assign(live, { shown: study.name, address: shown, listed: studyTexts(), stale: null });
  history.replaceState(null, "", shown);
  if (!set) document.getElementById("summary").textContent = "A report appears below when a run has finished";
  marks.push(now.mark);
  now.show(study.name);
  renew();
});

// -- the connection ---------------------------------------------------------------------------------------------------

const now = nowSection();
const lost = el("p", { class: "notice", id: "lost", hidden: true });

function connection() {
  const waited = live.asked === null ? 0 : performance.now() - live.asked;
  const isLost = live.problem !== null || waited > 1000 * PATIENCE.notice;
  const problem = live.problem ?? "fitbench does not answer";
  if (isLost === live.connected) {
    live.connected = !isLost;
    now.connected(!isLost);
    now.announce(isLost ? problem : "fitbench answers again");
  }
  const seconds = (performance.now() - live.answered) / 1000;
  const old = seconds < 120 ? `${Math.round(seconds)} s` : age(seconds);
  const waiting = `${problem}. What is shown is ${old} old. The page goes on when fitbench answers again.`;
  setText(lost, isLost ? waiting : live.stale ? `The report below is not brought up to date: ${live.stale}` : "");
  lost.hidden = !lost.textContent;
}

document.addEventListener("visibilitychange", () => document.hidden || ask());
setInterval(connection, 1000);
document.getElementById("summary").removeAttribute("role"); // it changes with every run that finishes
document.getElementById("notices").append(lost);
ask();
