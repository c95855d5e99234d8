// The input of tables: a form with a field for each column of a row.

import { element } from "./answers.js";

export class Row {
  static template = "row";
  query = "";

  /** `changed()` is called when a value changes. */
  constructor({ find, changed, info }) {
    this.find = find;
    this.changed = changed;
    this.fields = info.models[0].columns.map((column, number) => field(columnOf(column.name, info.models), number));
    find("fields").append(...this.fields.map(({ node }) => node));
    find("fields").addEventListener("input", () => this.update());
    find("fields").addEventListener("submit", (event) => event.preventDefault());
    find("clear").addEventListener("click", () => this.set(() => true, () => ""));
    find("fill").addEventListener("click", () => this.set(({ control }) => !filled(control), typical));
  }

  texts() {
    return { title: "Fill in a row", does: "it while you type" };
  }

  set(chosen, value) {
    for (const each of this.fields.filter(chosen)) each.control.value = value(each);
    this.update();
  }

  /** Fill in an example of the test part. */
  take({ example }) {
    this.set(() => true, ({ column }) => example[column.name] ?? "");
  }

  update() {
    const wrong = this.fields.filter(({ control }) => control.validity.badInput);
    const open = this.fields.filter((each) => each.required && !filled(each.control) && !wrong.includes(each));
    this.begun = this.fields.some(({ control }) => filled(control));
    this.incomplete = open.length + wrong.length > 0;
    for (const each of this.fields) each.node.classList.toggle("wrong", wrong.includes(each));
    this.find("clear").disabled = !this.begun && !wrong.length;
    this.find("open").textContent = [
      wrong.length ? `No number: ${names(wrong)}.` : "",
      this.begun && open.length ? `Still to fill in: ${names(open)}.` : "",
    ].join(" ");
    this.changed();
  }

  get empty() {
    return !this.begun || this.incomplete;
  }

  async content() {
    const row = Object.fromEntries(this.fields.map((each) => [each.column.name, valueOf(each)]));
    const body = JSON.stringify({ example: row });
    return { body, size: new Blob([body]).size, headers: { "Content-Type": "application/json" } };
  }
}

/** A column as all models take it: null is accepted by all, a choice is known to one. */
function columnOf(name, models) {
  const columns = models.map((model) => model.columns.find((column) => column.name === name));
  const choices = columns.flatMap((column) => column.choices ?? []);
  return { ...columns[0], optional: columns.every((column) => column.optional), choices: [...new Set(choices)] };
}

function field(column, number) {
  const isNumber = column.kind === "number";
  const required = isNumber && !column.optional;
  const control = isNumber ? numberField(column) : choiceField(column);
  control.id = `field-${number}`;
  const name = element("span", { class: "name", title: column.name }, column.name);
  const note = isNumber && column.optional ? [element("span", { class: "hint" }, "optional")] : [];
  return { column, control, required, node: element("label", { class: "field" }, element("span", { class: "head" }, name, ...note), control) };
}

function numberField(column) {
  return element("input", { type: "number", step: "any", placeholder: Number(column.mean.toPrecision(4)), autocomplete: "off" });
}

/** The first choice stands for a missing value, or for one that training has not seen. */
function choiceField(column) {
  const empty = column.choices.includes("") ? "(empty)" : "(none of these)";
  const choices = column.choices.filter((choice) => choice !== "");
  return element("select", {}, element("option", { value: "" }, empty), ...choices.map((choice) => element("option", { value: choice }, choice)));
}

function filled(control) {
  return control.value !== "";
}

function typical({ column, control }) {
  return column.kind === "number" ? Number(column.mean.toPrecision(4)) : (control.options[1]?.value ?? "");
}

function valueOf({ column, control }) {
  if (!filled(control)) return null;
  return column.kind === "number" ? control.valueAsNumber : control.value;
}

function names(fields) {
  const all = fields.map(({ column }) => column.name);
  return all.slice(0, 8).join(", ") + (all.length > 8 ? ` and ${all.length - 8} more` : "");
}
