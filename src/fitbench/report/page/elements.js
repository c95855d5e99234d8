// Elements of the page, and controls.
// Texts come from run folders, which may be a stranger's: they reach the page as text nodes and attributes only.

function fill(node, attributes, children) {
  for (const [name, given] of Object.entries(attributes ?? {})) {
    if (given === null || given === undefined || given === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), given);
    else if (name.startsWith("--")) node.style.setProperty(name, given);
    else node.setAttribute(name, given === true ? "" : given);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function choice(label, options, chosen, change) {
  const select = el("select", { onchange: () => change(select.value), "aria-label": label });
  select.append(...options.map(([key, text]) => el("option", { value: key }, text)));
  select.value = chosen;
  return el("label", { class: "choice" }, el("span", {}, label), select);
}

// Buttons of which one is pressed.
function segments(label, options, chosen, change) {
  const buttons = options.map(([key, text]) =>
    el("button", { type: "button", "aria-pressed": String(key === chosen), onclick: () => press(key) }, text),
  );
  function press(key) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(options[i][0] === key)));
    change(key);
  }
  return el("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

function tick(label, on, change) {
  const box = el("input", { type: "checkbox", checked: on, onchange: () => change(box.checked) });
  return el("label", { class: "tick" }, box, label);
}

function symbol({ colour, shape }) {
  return svg(
    "svg",
    { class: "symbol", viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    svg("path", { d: shape, "--ink": colour }),
  );
}

function part(title, ...children) {
  return el("section", {}, el("h3", {}, title), children);
}

function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, text] of pairs) list.append(el("div", {}, el("dt", {}, name), el("dd", {}, text)));
  return list;
}

// A plain table; `classes` says which columns hold text. A row whose first head is empty is named by its first cell.
function listing(name, heads, classes, rows) {
  const cell = (text, i) =>
    i === 0 && heads[0] === "" ? el("th", { scope: "row" }, text) : el("td", { class: classes[i] }, text);
  const top = heads.map((text, i) => (text ? el("th", { scope: "col", class: classes[i] }, text) : el("td")));
  const body = rows.map((row) => el("tr", {}, row.map(cell)));
  return el("table", { class: name }, el("thead", {}, el("tr", {}, top)), el("tbody", {}, body));
}
