// The rules of every axis, the same as in analysis/axes.py: when it is logarithmic, its range, its ticks.

const RULES = page.axes;
const ROOM = { across: 44, up: 32 }; // pixels for each tick

// From values to pixels, with the ticks of the axis as pairs of a value and its text. `of` is the column, series or
// objective that the values are of. A logarithmic axis leaves out what is not positive. With `enclose` the values lie
// between two ticks, where the axis need not grow much for it.
function scale(values, from, to, { of = {}, log = null, margin = RULES.margin, whole = false, enclose = false } = {}) {
  let axis = axisOf(values, limitsOf(of), margin, log);
  const most = Math.max(2, Math.floor(Math.abs(to - from) / (from > to ? ROOM.up : ROOM.across)));
  let ticks = ticksOf(axis, most, whole);
  if (enclose) [axis, ticks] = enclosed(axis, values, limitsOf(of), ticks);
  const forward = axis.log ? Math.log10 : (value) => value;
  const [a, b] = [forward(axis.low), forward(axis.high)];
  const place = (value) => from + ((forward(value) - a) / (b - a)) * (to - from);
  place.back = (pixel) => {
    const position = a + ((pixel - from) / (to - from)) * (b - a);
    return axis.log ? 10 ** position : position;
  };
  const texts = of.kind === "seconds" ? secondsTexts(ticks, axis.log) : tickTexts(ticks, axis.log);
  return Object.assign(place, axis, { ticks: ticks.map((value, i) => [value, texts[i]]) });
}

function limitsOf(of) {
  return [of.low ?? -Infinity, of.high ?? Infinity];
}

function isLogarithmic(values, limits) {
  if (!values.length || limits.every(Number.isFinite)) return false;
  const [low, high] = extent(values);
  return low > RULES.smallest && high >= RULES.decade * low;
}

function axisOf(values, limits, margin, wanted) {
  let finite = values
    .filter(Number.isFinite)
    .map((value) => Math.min(Math.max(value, -RULES.largest), RULES.largest));
  const log = wanted ?? isLogarithmic(finite, limits);
  if (log) finite = finite.filter((value) => value > RULES.smallest);
  const [low, high] = finite.length ? extent(finite) : log ? [1, 10] : [0, 1];
  const [a, b] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const apart = b > a ? margin * (b - a) : log ? 0.3 : 0.05 * Math.abs(a) || 0.5;
  let ends = log ? [10 ** (a - apart), 10 ** (b + apart)] : [a - apart, b + apart];
  if (limits[0] <= low && high <= limits[1]) {
    const cut = [Math.max(ends[0], limits[0]), Math.min(ends[1], limits[1])];
    if (cut[0] < cut[1]) ends = cut;
  }
  return { low: ends[0], high: ends[1], log };
}

function ticksOf({ low, high, log }, most, whole) {
  const ticks = log ? logTicks(Math.log10(low), Math.log10(high), most) : [];
  return ticks.length > 1 ? ticks : linearTicks(low, high, most, whole);
}

function linearTicks(low, high, most, whole) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  let ticks = [];
  for (const factor of RULES.steps) {
    const step = whole ? Math.max(factor * power, 1) : factor * power;
    if (Math.max(-low, high) / step >= RULES.countable) return [low, high];
    const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
    ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => rounded((first + i) * step));
    if (last - first < most) break;
  }
  return ticks;
}

function logTicks(low, high, most) {
  let ticks = [];
  for (const factors of RULES.log_steps) {
    ticks = [];
    for (let power = Math.floor(low); power <= Math.floor(high); power += 1)
      ticks.push(...factors.map((factor) => rounded(factor * 10 ** power)));
    ticks = ticks.filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
    if (ticks.length <= most) return ticks;
  }
  return ticks.filter((_, i) => i % Math.ceil(ticks.length / most) === 0);
}

// The axis, grown to the ticks around its values; and its ticks.
function enclosed({ low, high, log }, values, limits, ticks) {
  const finite = values.filter((value) => Number.isFinite(value) && (!log || value > RULES.smallest));
  if (!finite.length || ticks.length < 2) return [{ low, high, log }, ticks];
  const forward = log ? Math.log10 : (value) => value;
  const place = (value) => (forward(value) - forward(low)) / (forward(high) - forward(low));
  const [least, largest] = extent(finite);
  const [below, above] = beyond(ticks, log);
  const grown = { low, high, log };
  const all = [...ticks];
  if (least < ticks[0] && below >= limits[0] && place(below) >= -RULES.spare) all.unshift((grown.low = below));
  if (largest > ticks.at(-1) && above <= limits[1] && place(above) <= 1 + RULES.spare) all.push((grown.high = above));
  return [grown, all];
}

// The tick before the first and the one after the last.
function beyond(ticks, log) {
  if (!log) return [rounded(ticks[0] - (ticks[1] - ticks[0])), rounded(ticks.at(-1) + (ticks[1] - ticks[0]))];
  const leading = ticks.map((tick) => rounded(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9)));
  const fits = (factors) => leading.every((digit) => factors.includes(digit));
  const factors = RULES.log_steps.toReversed().find(fits) ?? RULES.log_steps[0];
  const [first, last] = [Math.floor(Math.log10(ticks[0])) - 1, Math.floor(Math.log10(ticks.at(-1))) + 2];
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const every = powers.flatMap((power) => factors.map((factor) => rounded(factor * 10 ** power)));
  return [every.findLast((tick) => tick < ticks[0]), every.find((tick) => tick > ticks.at(-1))];
}

function rounded(value) {
  return Number(value.toPrecision(12));
}

// Evenly spaced numbers have the same decimals or the same unit.
function tickTexts(ticks, log) {
  const largest = Math.max(0, ...ticks.map(Math.abs));
  const gaps = ticks.slice(1).map((tick, i) => Math.abs(tick - ticks[i]));
  const close = RULES.close * (gaps.length ? Math.min(...gaps) : largest);
  const unit = largest >= RULES.units.at(-1)[0] && !log ? largest : undefined;
  for (let decimals = 0; decimals <= RULES.decimals && unit === undefined && !log; decimals += 1) {
    if (ticks.every((tick) => Math.abs(tick - Number(tick.toFixed(decimals))) <= close))
      return ticks.map((tick) => (tick || 0).toFixed(decimals));
  }
  let digits = RULES.digits;
  const differs = (tick) => Math.abs(tick - Number(tick.toPrecision(digits))) > close;
  while (digits < RULES.most_digits && ticks.some(differs)) digits += 1;
  return ticks.map((tick) => tickText(tick, unit, digits));
}

// Numbers with as many digits as tell them apart.
function differentTexts(values) {
  let texts = [];
  for (let digits = RULES.digits; digits <= RULES.most_digits; digits += 1) {
    texts = values.map((value) => tickText(value, value, digits));
    if (new Set(texts).size === new Set(values).size) break;
  }
  return texts;
}

function secondsTexts(ticks, log) {
  return Math.max(...ticks) < 60 ? tickTexts(ticks, log).map((text) => `${text} s`) : ticks.map(duration);
}

function tickText(value, largest = value, digits = RULES.digits) {
  const [, suffix, divisor] = RULES.units.find(([least]) => value && Math.abs(largest) >= least) ?? [0, "", 1];
  return `${general(value / divisor, digits)}${suffix}`;
}

// A number in so many significant digits, as Python's format .4g has it.
function general(value, most) {
  const [digits, power] = value.toExponential(most - 1).split("e");
  if (power >= -4 && power < most) return String(Number(value.toPrecision(most)));
  return `${Number(digits)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
