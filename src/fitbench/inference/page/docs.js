// Builds the documentation of the API from openapi.json.

import { element } from "./answers.js";

const api = await (await fetch("openapi.json")).json();
document.getElementById("summary").textContent = `${api.info.description} An error is {"error": "…"} unless it says otherwise.`;
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    document.getElementById("api").append(describe(path, method, operation));
  }
}

function describe(path, method, operation) {
  const title = element("h2", {}, element("span", { class: "method" }, method.toUpperCase()), path);
  const node = element("article", {}, title);
  for (const text of (operation.description ?? operation.summary).split("\n\n")) node.append(element("p", {}, text));
  if (operation.parameters?.length) {
    node.append(element("h3", {}, "Parameters, as ?name=value"), list(operation.parameters, (each) => [each.name, each.description]));
  }
  for (const [type, { example }] of Object.entries(operation.requestBody?.content ?? {})) {
    node.append(element("h3", {}, `Request: ${type}`), code(example));
  }
  for (const [status, { content }] of Object.entries(operation.responses)) {
    if (status !== "200") continue;
    const { schema, example } = content["application/json"];
    node.append(element("h3", {}, "Response"));
    if (example) node.append(code(example));
    node.append(properties(schema));
  }
  const problems = Object.entries(operation.responses).filter(([status]) => status !== "200");
  if (problems.length) {
    node.append(element("h3", {}, "Errors"), list(problems, ([status, { description }]) => [status, description]));
  }
  return node;
}

/** The fields of a schema, and of the objects in it. */
function properties(schema) {
  const target = resolved(schema);
  const nodes = Object.entries(target.properties ?? {}).map(([name, field]) => {
    const inner = resolved(field.items ?? field);
    const text = [field.description ?? inner.description ?? "", typeName(field)].filter(Boolean).join(" · ");
    return [name, inner.properties ? element("div", {}, text, properties(inner)) : text];
  });
  return list(nodes, (each) => each);
}

function resolved(schema) {
  return schema.$ref ? api.components.schemas[schema.$ref.split("/").at(-1)] : schema;
}

function typeName(field) {
  const kinds = field.anyOf ?? [field];
  return kinds.map((kind) => (kind.items ? `list of ${typeName(kind.items)}` : (kind.type ?? resolved(kind).title ?? "any"))).join(" or ");
}

function list(entries, termAndText) {
  const node = element("dl", {});
  for (const entry of entries) {
    const [term, text] = termAndText(entry);
    node.append(element("dt", {}, term), element("dd", {}, text ?? ""));
  }
  return node;
}

function code(example) {
  const text = typeof example === "string" ? example : JSON.stringify(example);
  return element("pre", { tabindex: "0" }, text.replace("http://127.0.0.1:8000", location.origin));
}
