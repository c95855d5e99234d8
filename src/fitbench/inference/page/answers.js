// The predictions: a card for each model with its answer, and the image that it sees.
// No text is parsed as HTML.

const MAX_BARS = 12; // of more classes or labels, a card shows the most probable ones, and one bar for the other classes

/** Format a share as a percentage. */
export function percent(share) {
  if (share > 0.9995 && share < 1) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

export class Card {
  /** `displayName` distinguishes the model from the others, for screen readers. */
  constructor(model, number, displayName, { kind, examples }) {
    this.displayName = displayName;
    this.answer = new ANSWERS[model.task](model);
    this.seen = kind === "images" ? new Seen(model.shape) : null;
    const title = element("h2", { id: `model-${number}`, "aria-label": displayName }, model.name);
    const measured = model.test_value === null ? "" : `${model.metric} ${model.test_value.toFixed(4)} on its test ${examples}`;
    const inside = element("div", { class: "inside" }, ...this.answer.nodes, ...(this.seen ? [this.seen.node] : []));
    inside.classList.toggle("alone", !this.seen);
    this.node = element(
      "article",
      { class: "card", "aria-labelledby": title.id },
      element("header", {}, title, element("p", { class: "run" }, model.model), element("p", { class: "hint card-note" }, measured)),
      inside,
    );
    this.show(null);
  }

  /** Show a prediction of /predict; null if there is no input. */
  show(prediction) {
    this.node.classList.toggle("blank", !prediction);
    this.answer.show(prediction);
    this.seen?.show(prediction);
  }

  /** What other models may agree with; null for numbers. */
  verdict(prediction) {
    return this.answer.verdict(prediction);
  }

  /** The prediction for a screen reader. */
  spoken(prediction) {
    return this.answer.spoken(prediction);
  }
}

/** The most probable class, and the probability of each. */
class Classes {
  constructor(model) {
    this.names = model.outputs;
    this.label = element("span", { class: "label" });
    this.sure = element("span", { class: "sure" });
    this.bars = new Bars(Math.min(MAX_BARS, this.names.length));
    this.nodes = [element("p", { class: "verdict" }, this.label, this.sure), this.bars.node];
  }

  show(prediction) {
    setLabel(this.label, prediction ? prediction.label : "");
    this.sure.textContent = prediction ? percent(prediction.probability) : "";
    this.bars.show(shares(this.names, prediction), (name) => name === prediction?.label);
  }

  verdict(prediction) {
    return prediction.label;
  }

  spoken(prediction) {
    return `${prediction.label}, ${percent(prediction.probability)}`;
  }
}

/** The labels that apply, and the probability of each beside the threshold. */
class Labels {
  constructor(model) {
    this.names = model.outputs;
    this.label = element("span", { class: "label" });
    this.sure = element("span", { class: "sure" }, `yes from ${percent(model.threshold)}`);
    this.bars = new Bars(Math.min(MAX_BARS, this.names.length), model.threshold);
    this.nodes = [element("p", { class: "verdict" }, this.label, this.sure), this.bars.node];
  }

  show(prediction) {
    setLabel(this.label, prediction ? this.verdict(prediction) : "");
    const all = this.names.map((name) => [name, prediction ? prediction.probabilities[name] : null]);
    const shown = prediction && all.length > MAX_BARS ? all.toSorted((a, b) => b[1] - a[1]) : all;
    const applies = (name) => prediction?.labels.includes(name);
    this.bars.show(shown.slice(0, MAX_BARS), applies, (name) => (applies(name) ? " yes" : " no"));
  }

  verdict(prediction) {
    return prediction.labels.join(", ") || "no label";
  }

  spoken(prediction) {
    return this.names.map((name) => `${name}: ${prediction.labels.includes(name) ? "yes" : "no"}`).join(", ");
  }
}

/** The value of each target. */
class Values {
  constructor(model) {
    this.cells = model.outputs.map((name) => [name, element("dd", {})]);
    const pairs = this.cells.map(([name, cell]) => element("div", {}, element("dt", { title: name }, name), cell));
    this.nodes = [element("dl", { class: "values" }, ...pairs)];
    this.nodes[0].classList.toggle("single", pairs.length === 1);
  }

  show(prediction) {
    for (const [name, cell] of this.cells) cell.textContent = prediction ? String(prediction.values[name]) : "–";
  }

  verdict() {
    return null;
  }

  spoken(prediction) {
    return this.cells.map(([name]) => `${name} ${prediction.values[name]}`).join(", ");
  }
}

const ANSWERS = { classification: Classes, multilabel: Labels, regression: Values }; // by task

/** Bars of probabilities, perhaps with a mark at a threshold. */
class Bars {
  constructor(count, threshold = null) {
    this.node = element("ol", { class: "bars", "aria-label": "Probabilities" });
    this.rows = Array.from({ length: count }, () => row(threshold));
    this.node.append(...this.rows.map(({ bar }) => bar));
  }

  /** `entries` are [name, share]; a share of null is none. `note(name)` stands behind the share. */
  show(entries, isBest, note = () => "") {
    for (const [i, [name, share]] of entries.entries()) {
      const { bar, name: cell, value, filled } = this.rows[i];
      cell.textContent = name;
      cell.title = name;
      value.textContent = share === null ? "" : percent(share) + note(name);
      filled.style.setProperty("--part", share ?? 0);
      bar.classList.toggle("best", Boolean(isBest(name)));
    }
  }
}

/** [name, probability] of each bar: all classes in order, or the most probable ones and the sum of the others. */
function shares(classes, prediction) {
  const all = classes.map((name) => [name, prediction ? prediction.probabilities[name] : null]);
  if (all.length <= MAX_BARS) return all;
  if (!prediction) return all.slice(0, MAX_BARS);
  const likeliest = all.toSorted((a, b) => b[1] - a[1]).slice(0, MAX_BARS - 1);
  const others = 1 - likeliest.reduce((sum, [, share]) => sum + share, 0);
  return [...likeliest, [`${classes.length - MAX_BARS + 1} others`, Math.max(0, others)]];
}

function row(threshold) {
  const name = element("span", { class: "name" });
  const filled = element("span", { class: "filled" });
  const track = element("span", { class: "track" }, filled);
  if (threshold !== null) {
    const mark = element("span", { class: "mark" });
    mark.style.setProperty("--part", threshold);
    track.append(mark);
  }
  const value = element("span", { class: "value" });
  return { bar: element("li", {}, name, track, value), name, value, filled };
}

function setLabel(node, text) {
  node.textContent = text;
  node.classList.toggle("long", text.length > 3);
}

/** The image that a model sees. */
class Seen {
  constructor([height, width]) {
    this.image = element("canvas", { width, height, role: "img" });
    this.node = element("figure", { class: "seen" }, this.image, element("figcaption", {}, `seen as ${width} × ${height}`));
  }

  show(prediction) {
    this.image.setAttribute("aria-label", prediction ? "The image that the network sees" : "Nothing is drawn yet");
    paint(this.image, prediction?.seen);
  }
}

/** Paint rows of pixels: grey levels, or [red, green, blue]. Without rows the canvas is cleared. */
function paint(canvas, rows) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (const [i, pixel] of (rows ?? []).flat().entries()) {
    const [red, green, blue] = Array.isArray(pixel) ? pixel : [pixel, pixel, pixel];
    image.data.set([red, green, blue, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

export function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
