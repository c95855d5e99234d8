// In which colours, marks and dashes runs and groups are drawn; analysis/palette.py has the colours.

const PATHS = {
  o: "M0,-4.5A4.5,4.5 0 1 1 0,4.5A4.5,4.5 0 1 1 0,-4.5Z",
  s: "M-4,-4H4V4H-4Z",
  "^": "M0,-5.2L5,3.8H-5Z",
  D: "M0,-5.6L5.6,0L0,5.6L-5.6,0Z",
  v: "M0,5.2L5,-3.8H-5Z",
  P: "M-1.7,-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
  X: "M-5,-2.4L-2.4,-5L0,-2.6L2.4,-5L5,-2.4L2.6,0L5,2.4L2.4,5L0,2.6L-2.4,5L-5,2.4L-2.6,0Z",
  "<": "M-5.2,0L3.8,-5V5Z",
  ">": "M5.2,0L-3.8,-5V5Z",
  p: "M0,-5.2L5,-1.6L3.1,4.2H-3.1L-5,-1.6Z",
};
const LINE = 2; // pixels of a line's width, in which dashes are measured
const LOOKS = page.marks.markers.map((marker, place) => ({
  colour: `var(--c${place})`,
  shape: PATHS[marker],
  dash: page.marks.dashes[place % page.marks.dashes.length].map((length) => LINE * length).join(" "),
}));
const OTHERS = { colour: "var(--others)", shape: PATHS.o, dash: "" }; // what comes after them

// What the legend says and how each run is drawn: by group, by a column of few values, or by a scale of numbers.
let coding = null;

function encode() {
  const coded = columns.get(state.colour);
  const found = coded ? distinct(coded) : [];
  if (!coded) {
    coding = {
      entries: data.groups.names.map((name, group) => ({ name, look: lookOf(group), group })),
      of: (run) => lookOf(data.groups.of[run]),
    };
  } else if (coded.kind === "text" || (coded.part === "config" && found.length <= LOOKS.length)) {
    const places = new Map(found.map((value, place) => [value, place]));
    coding = {
      entries: found.map((value, place) => ({ name: write(coded, value), look: lookOf(place) })),
      of: (run) => lookOf(places.get(coded.values[run])),
    };
  } else {
    const numbers = found.filter((value) => typeof value === "number");
    const place = scaled(coded, numbers);
    coding = {
      scale: { column: coded, low: numbers[0], high: numbers.at(-1) },
      entries: [],
      of: (run) => {
        const value = coded.values[run];
        return typeof value === "number" ? { ...OTHERS, colour: ramp(place(value)) } : OTHERS;
      },
    };
  }
}

function lookOf(place) {
  return LOOKS[place] ?? OTHERS;
}

function groupLook(group) {
  if (state.colour === "group") return lookOf(group);
  return coding.of(visible.find((run) => data.groups.of[run] === group) ?? data.groups.of.indexOf(group));
}

// From 0 to 1, as an axis of the values has it.
function scaled(of, values) {
  return scale(values, 0, 1, { of, margin: 0 });
}

function ramp(share) {
  const at = share * (page.marks.ramp - 1);
  const i = Math.min(Math.floor(at), page.marks.ramp - 2);
  return `color-mix(in oklab, var(--ramp${i + 1}) ${(100 * (at - i)).toFixed(1)}%, var(--ramp${i}))`;
}

function distinct(of) {
  return [...new Set(of.values.filter((value) => value !== null))].sort((a, b) => inOrder(a, b, false));
}
