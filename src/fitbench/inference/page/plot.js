// Draws a series as lines, one for each channel.

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, EDGE] = [1000, 500, 12];
const MAX_COLOURS = 6; // of more channels, all lines have one colour

import { element } from "./answers.js";

/** A figure of a series, [steps] or [steps][channels]; of null or anything else, an empty one of so many steps. */
export function plot(value, steps) {
  const channels = channelsOf(value);
  const numbers = channels.flat();
  const low = numbers.reduce((least, number) => Math.min(least, number), Infinity);
  const high = numbers.reduce((most, number) => Math.max(most, number), -Infinity);
  const last = channels[0]?.length ?? steps;
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", channels.length ? `A series of ${last} steps, channels: ${channels.length}` : "No series yet");
  const few = channels.length <= MAX_COLOURS;
  svg.append(...channels.map((channel, number) => line(channel, low, high, few ? `line-${number}` : "line-many")));
  const axis = (side, ...texts) => element("div", { class: `axis ${side}` }, ...texts.map((text) => element("span", {}, text)));
  const figure = element("figure", { class: "plot" }, axis("y", label(high), label(low)), svg, axis("x", "1", `${last} steps`));
  if (!channels.length) figure.classList.add("blank");
  if (few && channels.length > 1) figure.append(legend(channels.length));
  return figure;
}

function channelsOf(value) {
  if (!Array.isArray(value) || !value.length) return [];
  if (value.every(Number.isFinite)) return [value];
  const count = value[0].length;
  const isTable = value.every((step) => Array.isArray(step) && step.length === count && step.every(Number.isFinite));
  return isTable ? Array.from({ length: count }, (_, channel) => value.map((step) => step[channel])) : [];
}

function line(channel, low, high, style) {
  const height = high > low ? (HEIGHT - 2 * EDGE) / (high - low) : 0;
  const middle = height ? 0 : HEIGHT / 2 - EDGE;
  const points = channel.map((number, step) => {
    const x = channel.length > 1 ? (step * WIDTH) / (channel.length - 1) : WIDTH / 2;
    return `${x.toFixed(1)},${(HEIGHT - EDGE - middle - (number - low) * height).toFixed(1)}`;
  });
  return node("polyline", { points: points.join(" "), class: style, "vector-effect": "non-scaling-stroke" });
}

function legend(count) {
  const keys = Array.from({ length: count }, (_, number) => element("li", { class: `key-${number}` }, `channel ${number + 1}`));
  return element("ul", { class: "legend" }, ...keys);
}

function label(number) {
  return Number.isFinite(number) ? String(Number(number.toPrecision(3))) : "";
}

function node(tag, attributes) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
