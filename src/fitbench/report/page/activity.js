// What the server has said of the studies and runs of the live page.

const activity = {
  studies: new Map(), // by name
  runs: new Map(), // by folder; those that have a curve have it whole
  ahead: 0, // seconds that the server's clock is ahead
};

// Takes an answer to "what has changed"; gives the runs that it changed, each with what was known of it before.
function takeChanges({ full, now, studies, runs, gone, ended }) {
  if (full) {
    activity.studies.clear();
    activity.runs.clear();
  }
  activity.ahead = now - Date.now() / 1000;
  for (const study of studies) activity.studies.set(study.name, study);
  for (const name of ended) activity.studies.delete(name);
  for (const folder of gone) activity.runs.delete(folder);
  return runs.map((run) => {
    const before = activity.runs.get(run.folder);
    const curve = run.curve ? joined(before?.curve, run.curve) : before?.curve;
    const series = run.series ?? before?.series;
    activity.runs.set(run.folder, { ...run, curve, series });
    return [run, before];
  });
}

// A curve with further epochs; those from `from` on replace what it has.
function joined(curve, { from, epoch, values }) {
  const continued = (old, added) => {
    const kept = (old ?? []).slice(0, from);
    return [...kept, ...Array(from - kept.length).fill(null), ...(added ?? Array(epoch.length).fill(null))];
  };
  const names = new Set([...Object.keys(curve?.values ?? {}), ...Object.keys(values)]);
  return {
    epoch: continued(curve?.epoch, epoch),
    values: Object.fromEntries([...names].map((name) => [name, continued(curve?.values[name], values[name])])),
  };
}

const STATES = ["finished", "pruned", "failed", "interrupted", "running"]; // in the order in which a study's are drawn

function endedRuns({ finished, pruned, failed }) {
  return finished + pruned + failed;
}

function runsNow(study) {
  return [...activity.runs.values()].filter((run) => run.study === study);
}

// How many seconds ago something was, by the server's clock.
function ago(moment) {
  return Math.max(0, Date.now() / 1000 + activity.ahead - moment);
}

// What is left now of seconds that were left at a moment.
function remaining(left, moment) {
  const seconds = Math.max(0, Math.round(left - ago(moment)));
  return seconds < 60 ? `${seconds} s` : duration(seconds);
}
