// Examples of the test part, as buttons that put them into the input.

import { element } from "./answers.js";

/** The buttons, in a group; null if there are no examples. `take(sample)` is called with the one that is chosen. */
export async function samples(take) {
  const response = await fetch("samples").catch(() => null);
  const found = response?.ok ? (await response.json()).samples : [];
  if (!found.length) return null;
  const group = element("div", { id: "samples", role: "group", "aria-labelledby": "origin" });
  group.append(element("span", { id: "origin", class: "hint" }, "From the test part:"));
  for (const [number, { truth, example }] of found.entries()) group.append(button(number, truth, example, take));
  return group;
}

function button(number, truth, example, take) {
  const name = `Example ${number + 1} of the test part${truth === null ? "" : `: ${truth}`}`;
  const image = example === null ? `samples/${number}` : null;
  const content = image ? element("img", { src: image, alt: name }) : (truth ?? `Example ${number + 1}`);
  const node = element("button", { type: "button", class: image ? "sample picture" : "sample", title: name }, content);
  if (!image) node.setAttribute("aria-label", name);
  node.addEventListener("click", () => take({ image, example }));
  return node;
}
