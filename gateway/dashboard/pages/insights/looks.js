// What the classes look like: their mean pictures, brightness, colours, and a map of single pictures.

import { h } from "../../core/dom.js";
import { number, percent } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { cloud, hue } from "../../charts/points.js";
import { panel } from "../../parts/pieces.js";
import { SIDE, asUrl, difference, lab, meanOf, measured } from "./pixels.js";
import { explained, mean, principal, quantile } from "../../core/statistics.js";

const MAP_SIDE = 8;

export function meanFigure(sample) {
  const means = sample.once("means", () => sample.classes.map((label) => ({ label, data: meanOf(sample.of(label)) })).map((one) => ({ ...one, url: asUrl(one.data), ...measured(one.data) })));
  const sentence = sample.once("means said", () => meanSentence(means));
  return panel("Mean picture of each class", figure(null, sentence, h("ul", { class: "means" }, means.map(({ label, url }) => h("li", {}, h("img", { class: "picture pixels", src: url, alt: `The mean of pictures of ${label}`, width: SIDE, height: SIDE }), h("span", { class: "wrap" }, label))))));
}

function meanSentence(means) {
  if (means.length < 2) return "With one class there is nothing to compare.";
  const pairs = means.flatMap((one, index) => means.slice(index + 1).map((other) => ({ one, other, apart: difference(one.data, other.data) })));
  const [alike] = [...pairs].sort((one, other) => one.apart - other.apart);
  const [unlike] = [...pairs].sort((one, other) => other.apart - one.apart);
  const [clear] = [...means].sort((one, other) => other.contrast - one.contrast);
  return `${alike.one.label} and ${alike.other.label} are most alike on average (${number(alike.apart, 0)} of 255 apart), ${unlike.one.label} and ${unlike.other.label} least (${number(unlike.apart, 0)}). ${clear.label} keeps the clearest outline when averaged, so its pictures are framed most alike.`;
}

export function brightnessFigure(sample) {
  const groups = sample.once("brightness", () => sample.classes.map((label) => ({ label, values: sample.of(label).map(({ brightness }) => brightness) })).sort((one, other) => mean(other.values) - mean(one.values)));
  const share = explained(groups.map(({ values }) => values));
  const sentence = `${groups[0].label} is the brightest class (${number(mean(groups[0].values), 0)} of 255 on average), ${groups.at(-1).label} the darkest (${number(mean(groups.at(-1).values), 0)}). The class explains ${percent(share, 0)} of how bright a picture is${share > 0.25 ? ", so a model could cheat by brightness" : share > 0.1 ? ", enough for a model to lean on" : ": brightness gives little away"}.`;
  return panel("Brightness by class", figure(null, sentence, h("ul", { class: "ranges" }, groups.map(range)), { heads: ["Class", "Lowest tenth", "Median", "Highest tenth"], rows: groups.map(({ label, values }) => [label, ...[0.1, 0.5, 0.9].map((part) => number(quantile(values, part), 0))]) }));
}

function range({ label, values }) {
  const [low, from, middle, to, high] = [0.1, 0.25, 0.5, 0.75, 0.9].map((part) => (quantile(values, part) / 255) * 100);
  const across = (start, end) => ({ left: `${start}%`, width: `${Math.max(0.5, end - start)}%` });
  return h("li", {}, h("span", { class: "wrap" }, label), h("span", { class: "range", "aria-hidden": "true" }, h("span", { class: "whisker", style: across(low, high) }), h("span", { class: "middle-half", style: across(from, to) }), h("span", { class: "median", style: { left: `${middle}%` } })), h("span", { class: "number" }, number((middle / 100) * 255, 0)));
}

export function colourFigure(sample) {
  const colours = sample.once("colours", () => sample.classes.map((label) => {
    const of = sample.of(label);
    const average = { red: mean(of.map(({ red }) => red)), green: mean(of.map(({ green }) => green)), blue: mean(of.map(({ blue }) => blue)) };
    return { label, average, lab: lab(average) };
  }));
  const chroma = ({ lab: [, a, b] }) => Math.hypot(a, b);
  const byBlue = [...colours].sort((one, other) => one.lab[2] - other.lab[2]);
  const [strong] = [...colours].sort((one, other) => chroma(other) - chroma(one));
  const share = explained(sample.classes.map((label) => sample.of(label).map((picture) => lab(picture)[2])));
  const sentence = `${byBlue[0].label} is the bluest class and ${byBlue.at(-1).label} the warmest; ${strong.label} is furthest from grey (chroma ${number(chroma(strong), 1)}). The class explains ${percent(share, 0)} of how blue or yellow a picture is.`;
  const points = colours.map(({ label, average, lab: [, a, b] }) => ({ x: a, y: b, name: label, isNamed: true, colour: `rgb(${Math.round(average.red)} ${Math.round(average.green)} ${Math.round(average.blue)})` }));
  const reach = (values) => { const [low, high] = [Math.min(...values), Math.max(...values)]; const edge = Math.max(1, (high - low) * 0.12); return [low - edge, high + edge]; };
  return panel("Mean colour of each class", figure(null, sentence, cloud(points, { label: "Mean colour by class in the a*b* plane", height: 260, xTitle: "green ← a* → red", yTitle: "blue ↓  b*  ↑ yellow", format: (value) => number(value, 0), x: reach(points.map(({ x }) => x)), y: reach(points.map(({ y }) => y)) }), { heads: ["Class", "Red", "Green", "Blue"], rows: colours.map(({ label, average }) => [label, ...["red", "green", "blue"].map((name) => number(average[name], 0))]) }));
}

/** 8 × 8 means of the pixels, as one row of numbers. */
function coarse(pixels) {
  const row = new Array(MAP_SIDE * MAP_SIDE * 3).fill(0);
  const step = SIDE / MAP_SIDE;
  for (let at = 0; at < SIDE * SIDE; at++) {
    const cell = Math.floor(Math.floor(at / SIDE) / step) * MAP_SIDE + Math.floor((at % SIDE) / step);
    for (let channel = 0; channel < 3; channel++) row[cell * 3 + channel] += pixels[at * 4 + channel] / (step * step * 255);
  }
  return row;
}

export function mapFigure(sample) {
  if (sample.pictures.length < 3) return null;
  const { axes, alike } = sample.once("map", () => {
    const rows = sample.pictures.map(({ pixels }) => coarse(pixels));
    return { axes: principal(rows), alike: neighbours(rows, sample.pictures) };
  });
  const colours = Object.fromEntries(sample.classes.map((label, index) => [label, hue(index, sample.classes.length)]));
  const chance = 1 / sample.classes.length;
  const sentence = `Each dot is a picture; near dots have like colours in like places. The two directions hold ${percent(axes[0].share + axes[1].share, 0)} of all differences. ${percent(alike, 0)} of the pictures have one of their own class as nearest neighbour, where chance gives ${percent(chance, 0)}: ${alike > 3 * chance ? "colours alone tell much" : alike > 1.5 * chance ? "colours alone tell something" : "colours alone tell next to nothing, shapes must"}.`;
  const points = sample.pictures.map(({ label }, index) => ({ x: axes[0].places[index], y: axes[1].places[index], colour: colours[label], name: label }));
  return panel("Map of the pictures", figure(null, sentence, h("div", {}, h("ul", { class: "legend" }, sample.classes.map((label) => h("li", {}, h("span", { class: "key", style: { background: colours[label] } }), label))), cloud(points, { label: "Pictures by the two strongest differences of their colours at 8 by 8 pixels", height: 280, format: (value) => number(value, 0), xTitle: "strongest difference", yTitle: "second strongest" }))));
}

/** The share of rows whose nearest other row has the same label. */
function neighbours(rows, pictures) {
  let same = 0;
  rows.forEach((row, index) => {
    let [best, nearest] = [-1, Infinity];
    rows.forEach((other, at) => {
      if (at === index) return;
      let apart = 0;
      for (let column = 0; column < row.length && apart < nearest; column++) apart += (row[column] - other[column]) ** 2;
      if (apart < nearest) [best, nearest] = [at, apart];
    });
    same += pictures[best]?.label === pictures[index].label ? 1 : 0;
  });
  return same / rows.length;
}
