// Where the reader is on the page, so that they stay there while the content is replaced: what they chose, filtered,
// selected and opened, how far they scrolled, and what has the focus.

const choices = new Map(); // what was chosen with each control below main, in the order of the choices

// -- what the reader chose --------------------------------------------------------------------------------------------

// What a control is called, the same before and after its content is replaced.
function nameOf(control) {
  const own = control.matches("[id], details, figure, summary");
  const text = control.getAttribute("aria-label") ?? control.labels?.[0]?.textContent ?? control.textContent;
  return [control.closest("[id]")?.id, control.localName, own ? control.className : text].join("\n");
}

function named(name) {
  const [, kind] = name.split("\n");
  return [...document.querySelectorAll(`main ${kind}, #detail ${kind}`)].find((control) => nameOf(control) === name);
}

function note(control, value) {
  choices.delete(nameOf(control)); // the latest choice comes last
  choices.set(nameOf(control), value);
}

document.addEventListener("change", ({ target }) => {
  if (!target.closest("main") || target.closest("#filter")) return; // the state of the page has the filter
  note(target, target.type === "checkbox" ? target.checked : target.value);
});

document.addEventListener(
  "click",
  ({ target }) => {
    const button = target.closest("main .segments button");
    if (button) note(button.parentNode, button.textContent);
    const head = target.closest("main thead button");
    if (head) note(head.closest(".scroll"), null); // the table knows its order, see `noteOrders`
  },
  true,
);

document.addEventListener("toggle", ({ target }) => target.matches("main details") && note(target, target.open), true);

function noteOrders() {
  for (const name of choices.keys()) {
    const head = named(name)?.querySelector(':scope > table > thead [aria-sort$="ending"]');
    if (head) choices.set(name, [head.title, head.ariaSort]);
  }
}

// Makes a choice again, with the control as the reader would.
function choose(control, value) {
  if (control.matches("details")) control.open = value;
  else if (control.matches("[type=checkbox]")) control.checked === value || control.click();
  else if (control.matches(".segments")) [...control.children].find((each) => each.textContent === value)?.click();
  else if (control.matches(".scroll")) sortAgain(control, value);
  else if ([...control.options].some((option) => option.value === value)) {
    control.value = value;
    control.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

function sortAgain(place, [title, order]) {
  const find = () => [...place.querySelectorAll("thead th")].find((each) => each.title === title);
  for (let clicks = 0; clicks < 2 && find() && find().ariaSort !== order; clicks += 1) find().firstElementChild.click();
}

// -- what the state of the page says ----------------------------------------------------------------------------------

// Gives a function that puts the state back when other runs are shown.
function keptState() {
  const { words, colour } = state;
  const group = state.group === null ? null : JSON.stringify(data.groups.keys[state.group]);
  const selected = state.selected === null ? null : recorded("folders", state.selected);
  const wanted = [...state.choices];
  const ranges = [...state.ranges].map(([name, { kept }]) => [name, kept]);
  const at = (list, item) => (item !== null && list.includes(item) ? list.indexOf(item) : null);
  return () => {
    Object.assign(state, { words, colour: columns.has(colour) ? colour : "group" });
    state.group = at(data.groups.keys.map((key) => JSON.stringify(key)), group);
    state.selected = at(everyRun.map((run) => recorded("folders", run)), selected);
    for (const [name, value] of wanted) if (columns.has(name)) state.choices.set(name, value);
    for (const [name, kept] of ranges) restoreRange(name, kept);
  };
}

// -- where things are on the screen -----------------------------------------------------------------------------------

// Gives a function that scrolls everything to where it was. What the reader sees at the top stays where it is.
function keptScroll() {
  const boxes = [...document.querySelectorAll("main .scroll, main figure, main .menu, #detail")]
    .filter((box) => box.scrollTop || box.scrollLeft)
    .map((box) => [nameOf(box), box.id, box.scrollLeft, box.scrollTop, box.querySelectorAll("tbody tr").length]);
  const parts = [...document.querySelectorAll("#now, #legend, main > section, main > .pair > section")];
  const seen = parts.find((part) => part.getBoundingClientRect().bottom > 0);
  const top = seen?.getBoundingClientRect().top;
  return () => {
    for (const [name, id, left, down, rows] of boxes) {
      const box = id ? document.getElementById(id) : named(name);
      if (!box) continue;
      if (box.more && rows > PAGE) box.more(rows - PAGE);
      box.scrollTo(left, down);
    }
    const part = seen && document.getElementById(seen.id);
    if (part) scrollBy(0, part.getBoundingClientRect().top - top);
  };
}

// Gives a function that gives the focus back.
function keptFocus() {
  const active = document.activeElement;
  const within = active.closest("main, #detail") ? nameOf(active) : null;
  const run = active.closest("#runs tr")?.dataset.run;
  const folder = run === undefined ? null : recorded("folders", run);
  const caret = active.id === "words" ? [active.selectionStart, active.selectionEnd] : null;
  return () => {
    if (within === null) return document.activeElement === active || document.activeElement.blur();
    if (folder !== null) runs.reveal(everyRun.find((each) => recorded("folders", each) === folder));
    const control = named(within);
    control?.focus({ preventScroll: true });
    if (caret) control.setSelectionRange(...caret);
  };
}

// Builds the page anew with what `page` holds now, and leaves the reader where they are.
function rebuild() {
  const [restore, scroll, focus] = [keptState(), keptScroll(), keptFocus()];
  noteOrders();
  const opened = opener?.closest("main") ? nameOf(opener) : null;
  showTooltip(null);
  build(restore);
  for (const [name, value] of [...choices]) {
    const control = named(name);
    if (control) choose(control, value);
  }
  if (!document.getElementById("detail").hidden) {
    showDetail();
    if (opened) opener = named(opened) ?? null;
  }
  focus();
  scroll();
  requestAnimationFrame(() => requestAnimationFrame(scroll)); // charts of a search are drawn in the next frame
}
