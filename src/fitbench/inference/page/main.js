// The page. It sends the drawing to all models while the user draws: one request at a time, always the newest drawing.

import { Card, percent } from "./answers.js";
import { Pad } from "./pad.js";

const PAUSE = 700; // ms without a change before a screen reader announces the predictions
const RETRY = 2000; // ms before the next request if the server did not answer or was too busy
const GONE = "The server does not answer. Is fitbench serve still running?";

const find = (id) => document.getElementById(id);
const pad = new Pad(find("pad"), changed, say);
let cards = [];
let limit = Infinity; // bytes of a request
let version = 0; // increases with each change of the drawing
let busy = false;
let pause = 0;
let retry = 0;

start();

async function start() {
  let info;
  try {
    info = await (await fetch("models")).json();
  } catch {
    return complain(GONE);
  }
  limit = info.limits.bytes;
  cards = info.models.map((model, number) => new Card(model, number, displayName(model, info.models)));
  find("answers").append(...cards.map((card) => card.node));
  document.body.dataset.models = Math.min(cards.length, 3);
  introduce(info.models);
  find("version").textContent = `fitbench ${info.version}`;
  changed();
}

/** The display name of a model: its name, or its run_id if several models have the same name. */
function displayName(model, models) {
  return models.filter(({ name }) => name === model.name).length > 1 ? model.model : model.name;
}

function introduce(models) {
  const classes = models[0].classes;
  const same = models.every((model) => model.classes.join("\n") === classes.join("\n"));
  const digits = models.every((model) => model.classes.every((name) => /^[0-9]$/.test(name)));
  const title = digits ? "Draw a digit" : "Draw";
  find("title").textContent = title;
  document.title = `${title} · fitbench`;
  const subject = models.length === 1 ? `${models[0].name}, trained on ${models[0].data}, reads` : `${models.length} models read`;
  const classList = digits || !same ? "" : ` Classes: ${classes.slice(0, 20).join(", ")}${classes.length > 20 ? " and more" : ""}.`;
  find("summary").textContent = `${subject} it while you draw.${classList}`;
}

// -- while drawing --

function changed() {
  version++;
  find("undo").disabled = !pad.undoable;
  find("clear").disabled = pad.empty;
  find("prompt").hidden = !pad.empty;
  clearTimeout(pause);
  if (pad.empty) {
    for (const card of cards) card.show(null);
    complain("");
    agree([]);
  }
  read();
}

/** Send the drawing until the predictions are for its newest version. */
async function read() {
  if (busy || !cards.length) return;
  setBusy(true);
  let sent = -1;
  while (sent !== version && !pad.empty) {
    sent = version;
    const answer = await ask(await pad.content());
    if (answer && !pad.empty) show(answer.predictions);
    if (!answer) await new Promise((resolve) => setTimeout(resolve, RETRY / 20));
  }
  setBusy(false);
}

function setBusy(value) {
  busy = value;
  find("reading").setAttribute("aria-busy", value);
}

async function ask(content) {
  clearTimeout(retry);
  if (content.size > limit) {
    complain(`The file has ${(content.size / 1e6).toFixed(1)} MB; the limit is ${(limit / 1e6).toFixed(1)} MB.`);
    return null;
  }
  const began = performance.now();
  try {
    const headers = { "Content-Type": content.type.startsWith("image/") ? content.type : "application/octet-stream" };
    const response = await fetch("predict?seen=true", { method: "POST", body: content, headers });
    if (response.status === 503) return later("The server has too many connections; the page tries again.");
    const answer = await response.json();
    complain(response.ok ? "" : answer.error);
    find("took").textContent = ` · answered in ${Math.max(1, Math.round(performance.now() - began))} ms`;
    return response.ok ? answer : null;
  } catch {
    return later(GONE);
  }
}

function later(text) {
  complain(text);
  retry = setTimeout(read, RETRY);
  return null;
}

function show(predictions) {
  for (const [i, card] of cards.entries()) card.show(predictions[i]);
  agree(predictions);
  clearTimeout(pause);
  pause = setTimeout(() => say(announcement(predictions)), PAUSE);
}

function agree(predictions) {
  const labels = new Set(predictions.map((prediction) => prediction.label));
  find("agreement").hidden = predictions.length < 2;
  find("agreement").classList.toggle("differ", labels.size > 1);
  const all = predictions.length === 2 ? "Both" : `All ${predictions.length}`;
  find("agreement").textContent =
    labels.size === 1 ? `${all} read ${[...labels][0]}` : `They differ: ${[...labels].join(", ")}`;
}

function announcement(predictions) {
  const texts = predictions.map(({ label, probability }) => `${label}, ${percent(probability)}`);
  if (predictions.length === 1) return texts[0];
  return texts.map((text, i) => `${cards[i].displayName}: ${text}`).join("; ");
}

function say(text) {
  find("status").textContent = text;
}

function complain(text) {
  if (find("notice").textContent === text) return;
  find("notice").textContent = text;
  find("notice").hidden = !text;
  if (!text) return;
  clearTimeout(pause);
  for (const card of cards) card.show(null);
  agree([]);
}

// -- buttons and files --

find("undo").addEventListener("click", () => pad.undo());
find("clear").addEventListener("click", () => pad.clear());
find("choose").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", ({ target }) => {
  open(target.files);
  target.value = ""; // the same file can be chosen again
});
addEventListener("paste", (event) => open(event.clipboardData.files));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files);
});
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") {
    event.preventDefault();
    pad.undo();
  }
});

function open(files) {
  if (files.length) pad.open(files[0]);
}
