// The predictions: a card for each model with its label, probabilities, and the image that it sees.
// No text is parsed as HTML.

const MAX_BARS = 12; // of more classes, a card shows the most probable ones, and one bar for the others

/** Format a share as a percentage. */
export function percent(share) {
  if (share > 0.9995 && share < 1) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

export class Card {
  /** `displayName` distinguishes the model from the others, for screen readers. */
  constructor(model, number, displayName) {
    this.model = model;
    this.displayName = displayName;
    const [height, width] = model.shape;
    this.title = element("h2", { id: `model-${number}`, "aria-label": displayName }, model.name);
    this.label = element("span", { class: "label" });
    this.sure = element("span", { class: "sure" });
    this.image = element("canvas", { width, height, role: "img", "aria-label": "Nothing is drawn yet" });
    this.bars = element("ol", { class: "bars", "aria-label": "Probabilities" });
    const measured = model.test_value === null ? "" : `${model.metric} ${model.test_value.toFixed(4)} on its test images`;
    this.node = element(
      "article",
      { class: "card", "aria-labelledby": this.title.id },
      element("header", {}, this.title, element("p", { class: "run" }, model.model), element("p", { class: "hint card-note" }, measured)),
      element(
        "div",
        { class: "inside" },
        element("p", { class: "verdict" }, this.label, this.sure),
        element("figure", {}, this.image, element("figcaption", {}, `seen as ${width} × ${height}`)),
        this.bars,
      ),
    );
    this.rows = Array.from({ length: Math.min(MAX_BARS, model.classes.length) }, () => row(this.bars));
    this.show(null);
  }

  /** Show a prediction of /predict; null if nothing is drawn. */
  show(prediction) {
    this.node.classList.toggle("blank", !prediction);
    this.label.textContent = prediction ? prediction.label : "";
    this.label.classList.toggle("long", (prediction?.label ?? "").length > 3);
    this.sure.textContent = prediction ? percent(prediction.probability) : "";
    for (const [i, [name, share]] of shares(this.model.classes, prediction).entries()) {
      const { bar, name: cell, value, filled } = this.rows[i];
      cell.textContent = name;
      cell.title = name;
      value.textContent = share === null ? "" : percent(share);
      filled.style.setProperty("--part", share ?? 0);
      bar.classList.toggle("best", name === prediction?.label);
    }
    this.image.setAttribute("aria-label", prediction ? "The image that the network sees" : "Nothing is drawn yet");
    paint(this.image, prediction?.seen);
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

function row(list) {
  const name = element("span", { class: "name" });
  const filled = element("span", { class: "filled" });
  const value = element("span", { class: "value" });
  const bar = element("li", {}, name, element("span", { class: "track" }, filled), value);
  list.append(bar);
  return { bar, name, value, filled };
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
