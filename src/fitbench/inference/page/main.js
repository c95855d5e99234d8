// The page. It sends the input to all models while the user makes it: one request at a time, always the newest input.

import { Card } from "./answers.js";
import { Drawing } from "./drawing.js";
import { Numbers } from "./numbers.js";
import { Row } from "./row.js";
import { samples } from "./samples.js";

const INPUTS = { images: Drawing, table: Row, series: Numbers, tokens: Numbers, arrays: Numbers }; // by kind
const PAUSE = 700; // ms without a change before a screen reader announces the predictions
const RETRY = 2000; // ms before the next request if the server did not answer or was too busy
const GONE = "The server does not answer. Is fitbench serve still running?";

const find = (id) => document.getElementById(id);
let input = null;
let cards = [];
let comparable = false; // whether all models have the same outputs
let answer = null; // predictions for the input, by example and model
let limit = Infinity; // bytes of a request
let version = 0; // increases with each change of the input
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
  const Input = INPUTS[info.kind];
  document.body.dataset.kind = info.kind;
  find("notice").before(find(Input.template).content.cloneNode(true));
  input = new Input({ find, changed, again: () => show(answer), say, info });
  cards = info.models.map((model, number) => new Card(model, number, displayName(model, info.models), info));
  find("answers").append(...cards.map((card) => card.node));
  document.body.dataset.models = Math.min(cards.length, 3);
  comparable = new Set(info.models.map((model) => [model.task, ...model.outputs].join("\n"))).size === 1;
  introduce(info.models);
  find("version").textContent = `fitbench ${info.version}`;
  changed();
  const group = await samples(take);
  if (group) document.querySelector("#input .tools").after(group);
}

/** Put an example of the test part into the input. */
async function take(sample) {
  try {
    await input.take(sample);
  } catch {
    complain(GONE);
  }
}

/** The display name of a model: its name, or its run_id if several models have the same name. */
function displayName(model, models) {
  return models.filter(({ name }) => name === model.name).length > 1 ? model.model : model.name;
}

function introduce(models) {
  const { title, does, knownClasses } = input.texts(models);
  find("title").textContent = title;
  document.title = `${title} · fitbench`;
  const { classes } = models[0];
  const same = classes && models.every((model) => model.classes?.join("\n") === classes.join("\n"));
  const subject = models.length === 1 ? `${models[0].name}, trained on ${models[0].data}, reads` : `${models.length} models read`;
  const classList = knownClasses || !same ? "" : ` Classes: ${classes.slice(0, 20).join(", ")}${classes.length > 20 ? " and more" : ""}.`;
  find("summary").textContent = `${subject} ${does}.${classList}`;
}

// -- while the user makes the input --

function changed() {
  version++;
  clearTimeout(pause);
  if (input?.empty) {
    blank();
    complain("");
  }
  read();
}

function blank() {
  for (const card of cards) card.show(null);
  agree([]);
}

/** Send the input until the predictions are for its newest version. */
async function read() {
  if (busy || !cards.length) return;
  setBusy(true);
  let sent = -1;
  while (sent !== version && !input.empty) {
    sent = version;
    const read = await ask(await input.content());
    if (read && !input.empty) show(read.predictions);
    if (!read) await new Promise((resolve) => setTimeout(resolve, RETRY / 20));
  }
  setBusy(false);
}

function setBusy(value) {
  busy = value;
  find("reading").setAttribute("aria-busy", value);
}

async function ask({ body, size, headers }) {
  clearTimeout(retry);
  if (size > limit) {
    complain(`The file has ${(size / 1e6).toFixed(1)} MB; the limit is ${(limit / 1e6).toFixed(1)} MB.`);
    return null;
  }
  const began = performance.now();
  try {
    const response = await fetch(`predict?${input.query}`, { method: "POST", body, headers });
    if (response.status === 503) return later("The server has too many connections; the page tries again.");
    const read = await response.json();
    complain(response.ok ? "" : read.error);
    find("took").textContent = ` · answered in ${Math.max(1, Math.round(performance.now() - began))} ms`;
    return response.ok ? read : null;
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
  answer = predictions;
  input.answered?.(predictions, cards.length);
  const first = (input.example ?? 0) * cards.length; // of several examples, the page shows one
  const shown = predictions.slice(first, first + cards.length);
  for (const [i, card] of cards.entries()) card.show(shown[i]);
  agree(shown);
  clearTimeout(pause);
  pause = setTimeout(() => say(announcement(shown)), PAUSE);
}

function agree(predictions) {
  const verdicts = new Set(predictions.map((prediction, i) => cards[i].verdict(prediction)));
  const compared = comparable && predictions.length > 1 && !verdicts.has(null);
  find("agreement").hidden = !compared;
  find("agreement").classList.toggle("differ", verdicts.size > 1);
  const all = predictions.length === 2 ? "Both" : `All ${predictions.length}`;
  find("agreement").textContent =
    verdicts.size === 1 ? `${all} read ${[...verdicts][0]}` : `They differ: ${[...verdicts].join(", ")}`;
}

function announcement(predictions) {
  const texts = predictions.map((prediction, i) => cards[i].spoken(prediction));
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
  blank();
}

// -- files --

document.addEventListener("change", ({ target }) => {
  if (target.id !== "file") return;
  open(target.files);
  target.value = ""; // the same file can be chosen again
});
addEventListener("paste", (event) => open(event.clipboardData.files));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files);
});

function open(files) {
  if (files.length) input?.open?.(files[0]);
}
