// The confusion matrix and the mistakes of one run.

const NUMBERED = 14; // classes; with more, a confusion matrix shows no numbers

function confusion(run) {
  const found = data.confusion[run];
  if (!found) return null;
  if (typeof found === "string") return part("Confusion", el("p", { class: "empty" }, found));
  const names = data.classes[found.classes];
  if (found.pairs) return part("Most confused", pairTable(found.pairs, names));
  const numbered = names.length <= NUMBERED;
  const hint = `True classes in rows, predicted ones in columns.${numbered ? "" : " Point at a cell to read it."}`;
  return part(
    "Confusion",
    el("p", { class: "hint" }, hint),
    el("div", { class: "scroll" }, matrixTable(names, found.counts, numbered)),
  );
}

function matrixTable(names, counts, numbered) {
  const rows = names.map((_, i) => counts.slice(i * names.length, (i + 1) * names.length));
  const totals = rows.map((row) => Math.max(1, row.reduce((sum, each) => sum + each, 0)));
  const wrong = rows.flatMap((row, i) => row.map((each, j) => (i === j ? 0 : each / totals[i])));
  const worst = extent(wrong)[1] || 1;
  const cell = (i, each, j) => {
    const share = each / totals[i];
    const strength = i === j ? share ** 3 : Math.sqrt(share / worst);
    const attributes = {
      class: (i === j ? "right" : "wrong") + (strength > 0.6 ? " strong" : ""),
      "--strength": `${(100 * strength).toFixed(0)}%`,
      title: `${names[i]} read as ${names[j]}: ${each} of ${totals[i]}`,
    };
    return el("td", attributes, numbered && each ? String(each) : "");
  };
  const name = (scope, i) => el("th", { scope, title: names[i] }, el("span", {}, names[i]));
  return el(
    "table",
    { class: numbered ? "confusion" : "confusion plain" },
    el("thead", {}, el("tr", {}, el("td"), names.map((_, i) => name("col", i)))),
    el("tbody", {}, rows.map((row, i) => el("tr", {}, name("row", i), row.map((each, j) => cell(i, each, j))))),
  );
}

function pairTable(pairs, names) {
  const rows = pairs.map(([label, predicted, count]) => [names[label], names[predicted], String(count)]);
  return listing("mistakes", ["true", "predicted", "times"], ["text", "text", ""], rows);
}

function mistakes(run) {
  const found = data.mistakes[run];
  if (!found) return null;
  const names = data.classes[data.confusion[run].classes];
  const title = `Mistakes: ${found.count.toLocaleString("en-US")} of ${plural(found.examples, "example")}`;
  if (!found.worst.length) return part(title);
  const certain = (probability) => (probability === null ? ABSENT : probability.toFixed(3));
  const rows = found.worst.map(([image, label, predicted, probability]) => [
    String(image),
    names[label],
    names[predicted],
    certain(probability),
  ]);
  const more = `The ${found.worst.length} of which the model was most certain; examples are counted from 0.`;
  return part(
    title,
    found.count > found.worst.length ? el("p", { class: "hint" }, more) : null,
    listing("mistakes", ["example", "true", "predicted", "probability"], ["", "text", "text", ""], rows),
  );
}
