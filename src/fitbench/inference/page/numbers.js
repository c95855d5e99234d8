// The input of series, tokens and other arrays: pasted numbers, or a file of series, drawn as lines.

import { plot } from "./plot.js";

/** By kind: its words, how many sides an example may have to be drawn, and whether its last side is channels and files
 * can be opened, as of series. */
const KINDS = {
  series: { noun: "series", article: "a", each: "number", unit: "steps", example: "0.12, 0.15, 0.11, …", drawn: 2, series: true },
  tokens: { noun: "sequence", article: "a", each: "token", unit: "tokens", example: "4, 17, 2, …", drawn: 0 },
  arrays: { noun: "array", article: "an", each: "number", unit: "numbers", example: "0.12, 0.15, 0.11, …", drawn: 1 },
};

export class Numbers {
  static template = "numbers";

  /** `changed()` is called when the numbers change, `again()` when another answer of a file is to be shown. */
  constructor({ find, changed, again, info }) {
    this.find = find;
    this.changed = changed;
    this.again = again;
    this.kind = KINDS[info.kind];
    this.shape = info.models[0].shape;
    this.lines = this.shape.length === 2 && this.shape[1] > 1 ? this.shape[1] : 1; // of the text
    this.drawn = this.shape.length <= this.kind.drawn;
    this.example = 0;
    this.value = null; // [steps] or [steps][channels]
    this.query = this.kind.series ? "seen=true" : "";
    this.describe();
    find("text").addEventListener("input", () => this.type());
    find("clear").addEventListener("click", () => this.clear());
    find("choose").addEventListener("click", () => find("file").click());
    find("previous").addEventListener("click", () => this.turn(-1));
    find("next").addEventListener("click", () => this.turn(1));
    this.draw(null);
  }

  describe() {
    const { find, shape, lines, kind } = this;
    find("choose").hidden = !kind.series;
    find("plot").hidden = !this.drawn;
    const sides = shape.join(" × ");
    const isNested = shape.length > 2 || (!kind.series && lines > 1);
    const how = lines > 1 ? `${shape[0]} numbers in each of ${lines} lines, a line for each channel` : `${shape[0]} ${kind.each}s`;
    find("how").textContent = isNested ? `JSON, nested lists of ${sides}` : how;
    find("text").placeholder = isNested ? "[[0, 0, …], …]" : kind.example;
  }

  texts() {
    const { noun, article, series } = this.kind;
    const [file, opened] = series ? [" or open a file", " or open"] : ["", ""];
    return { title: `Paste ${article} ${noun}${file}`, does: `the ${noun} that you paste${opened}` };
  }

  // -- what is asked --

  get empty() {
    return !this.file && this.value === null;
  }

  async content() {
    if (this.file) {
      const body = new FormData();
      body.append("file", this.file, this.file.name);
      return { body, size: this.file.size, headers: {} };
    }
    const body = JSON.stringify({ example: this.value });
    return { body, size: body.length, headers: { "Content-Type": "application/json" } };
  }

  type() {
    this.file = null;
    const { value, problem } = parse(this.find("text").value, this.lines);
    this.value = value;
    this.count(value, problem);
    this.draw(value);
    this.update();
  }

  /** Write an example of the test part as one would paste it. */
  take({ example }) {
    const isFlat = this.shape.length === 1 || (this.shape.length === 2 && this.shape[1] === 1);
    const channels = this.shape.length === 2 && this.kind.series && this.lines > 1;
    if (isFlat) this.find("text").value = example.flat().join(", ");
    else if (channels) this.find("text").value = example[0].map((_, i) => example.map((step) => step[i]).join(", ")).join("\n");
    else this.find("text").value = JSON.stringify(example);
    this.type();
  }

  clear() {
    this.find("text").value = "";
    this.type();
  }

  open(file) {
    if (!this.kind.series) return;
    this.find("text").value = "";
    this.file = file;
    this.value = null;
    this.example = 0;
    this.draw(null);
    this.update();
  }

  update() {
    this.find("clear").disabled = this.empty && !this.find("text").value;
    this.find("places").hidden = true;
    if (this.file) this.find("count").textContent = this.file.name;
    this.changed();
  }

  count(value, problem) {
    const length = value?.length ?? 0;
    this.find("count").textContent = problem || (length ? `${length} of ${this.shape[0]} ${this.kind.unit}` : "");
  }

  // -- what is answered --

  /** Show the example of a file that `example` names. */
  answered(predictions, models) {
    if (!this.file) return;
    const examples = predictions.length / models;
    const { seen, example } = predictions[this.example * models];
    this.find("places").hidden = examples < 2;
    this.find("place").textContent = `${this.example + 1} of ${examples}`;
    this.find("previous").disabled = this.example === 0;
    this.find("next").disabled = this.example === examples - 1;
    this.find("count").textContent = `${example} · ${seen.length} steps as the model takes them`;
    this.draw(seen);
  }

  turn(by) {
    this.example += by;
    this.again();
  }

  draw(value) {
    if (this.drawn) this.find("plot").replaceChildren(plot(value, this.shape[0]));
  }
}

/** Numbers from text: JSON, or separated by commas and spaces, in `lines` lines. The problem is a sentence, or "". */
function parse(text, lines) {
  if (!text.trim()) return { value: null, problem: "" };
  if (text.trim().startsWith("[")) {
    try {
      return { value: JSON.parse(text), problem: "" };
    } catch {
      return { value: null, problem: "The JSON is not complete." };
    }
  }
  const rows = (lines > 1 ? text.trim().split(/\n+/) : [text]).map((line) => line.split(/[\s,;]+/).filter(Boolean));
  const wrong = rows.flat().find((each) => !Number.isFinite(Number(each)));
  if (wrong !== undefined) return { value: null, problem: `${wrong.slice(0, 30)} is not a number.` };
  const numbers = rows.map((row) => row.map(Number));
  if (lines === 1) return { value: numbers[0], problem: "" };
  if (numbers.length !== lines) return { value: null, problem: `${numbers.length} of ${lines} lines.` };
  if (numbers.some((row) => row.length !== numbers[0].length)) return { value: null, problem: "The lines differ in length." };
  return { value: numbers[0].map((_, step) => numbers.map((channel) => channel[step])), problem: "" };
}
