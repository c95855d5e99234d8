// The answers: for each model what it reads, how sure it is, and the image that it sees. All text is set as text.

const MOST = 12; // bars of a card; of more classes the likeliest, and one bar for the others

/** A share in per cent. */
export function percent(share) {
  if (share > 0.9995 && share < 1) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

export class Card {
  /** `called`: what tells the model from the others where its name alone is read out. */
  constructor(model, number, called) {
    this.model = model;
    this.called = called;
    const [height, width] = model.shape;
    this.title = element("h2", { id: `model-${number}`, "aria-label": called }, model.name);
    this.label = element("span", { class: "label" });
    this.sure = element("span", { class: "sure" });
    this.image = element("canvas", { width, height, role: "img", "aria-label": "Nothing is drawn yet" });
    this.bars = element("ol", { class: "bars", "aria-label": "Probabilities" });
    const accuracy = model.test_accuracy === null ? "" : `${percent(model.test_accuracy)} right on its test images`;
    this.node = element(
      "article",
      { class: "card", "aria-labelledby": this.title.id },
      element("header", {}, this.title, element("p", { class: "run" }, model.model), element("p", { class: "hint card-note" }, accuracy)),
      element(
        "div",
        { class: "inside" },
        element("p", { class: "verdict" }, this.label, this.sure),
        element("figure", {}, this.image, element("figcaption", {}, `seen as ${width} × ${height}`)),
        this.bars,
      ),
    );
    this.rows = Array.from({ length: Math.min(MOST, model.classes.length) }, () => row(this.bars));
    this.show(null);
  }

  /** Show a prediction as /predict gives it; null: nothing is drawn. */
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

/** [name, probability] of each bar: the classes in their order, or the likeliest and what is left to the others. */
function shares(classes, prediction) {
  const all = classes.map((name) => [name, prediction ? prediction.probabilities[name] : null]);
  if (all.length <= MOST) return all;
  if (!prediction) return all.slice(0, MOST);
  const likeliest = all.toSorted((a, b) => b[1] - a[1]).slice(0, MOST - 1);
  const others = 1 - likeliest.reduce((sum, [, share]) => sum + share, 0);
  return [...likeliest, [`${classes.length - MOST + 1} others`, Math.max(0, others)]];
}

function row(list) {
  const name = element("span", { class: "name" });
  const filled = element("span", { class: "filled" });
  const value = element("span", { class: "value" });
  const bar = element("li", {}, name, element("span", { class: "track" }, filled), value);
  list.append(bar);
  return { bar, name, value, filled };
}

/** Paint rows of pixels: numbers, grey, or [red, green, blue]; without any the canvas is empty. */
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
