// A map of answers as the model tells pictures apart: near dots got like scores in like classes.

import { h } from "../../core/dom.js";
import { count, many, number, percent } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { cloud, hue } from "../../charts/points.js";
import { panel } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { mean, principal } from "../../core/statistics.js";

const MOST = 300;
const ENOUGH = 20;
const FLOOR = 1e-4;
/** Scores below it, and classes beyond the five best, count as this much. */

export function answersFigure(known) {
  const answers = known.predictions.filter(({ classifications }) => classifications.length).slice(0, MOST);
  if (answers.length < ENOUGH) return panel("Map of the answers", empty("Too few answers for a map", `${count(answers.length)} are remembered; ${ENOUGH} are needed.`));
  known.answersMap ??= mapped(answers);
  const { axes, labels, apart, sure } = known.answersMap;
  const colours = Object.fromEntries(labels.map((label, index) => [label, hue(index, labels.length)]));
  const points = answers.map(({ classifications: [best], feedback }, index) => ({ x: axes[0].places[index], y: axes[1].places[index], colour: colours[best.label], name: `${best.label}, ${percent(best.score, 0)} sure${feedback && feedback !== best.label ? `, truly ${feedback}` : ""}` }));
  const legend = h("ul", { class: "legend" }, labels.map((label) => h("li", { class: "wrap" }, h("span", { class: "key", style: { background: colours[label] } }), label)));
  return panel("Map of the answers", figure(null, sentence(answers.length, axes, apart, sure), h("div", {}, legend, cloud(points, { label: "Latest answers by the two strongest differences of their scores", height: 280, format: (value) => number(value, 0), xTitle: "strongest difference of log scores", yTitle: "second strongest" }))));
}

function mapped(answers) {
  const labels = [...new Set(answers.map(({ classifications: [best] }) => best.label))].sort();
  const columns = [...new Set(answers.flatMap(({ classifications }) => classifications.map(({ label }) => label)))];
  const rows = answers.map(({ classifications }) => {
    const scores = Object.fromEntries(classifications.map(({ label, score }) => [label, score]));
    return columns.map((label) => Math.log10(Math.max(FLOOR, scores[label] ?? 0)));
  });
  return { labels, axes: principal(rows), apart: nearest(labels, answers, rows), sure: mean(answers.map(({ classifications: [best] }) => best.score)) };
}

/** The two classes whose answers lie nearest to each other on average, and how far the others are. */
function nearest(labels, answers, rows) {
  const centres = labels.map((label) => {
    const own = rows.filter((_, index) => answers[index].classifications[0].label === label);
    return own[0].map((_, column) => mean(own.map((row) => row[column])));
  });
  const pairs = labels.flatMap((one, index) => labels.slice(index + 1).map((other, more) => ({ one, other, by: Math.hypot(...centres[index].map((value, column) => value - centres[index + 1 + more][column])) })));
  return pairs.sort((one, other) => one.by - other.by);
}

function sentence(all, axes, apart, sure) {
  const held = `Each dot is one of the latest ${many(all, "answer")}, ${percent(sure, 0)} sure on average. The two directions hold ${percent(axes[0].share + axes[1].share, 0)} of the differences of their five best scores.`;
  if (apart.length < 2) return held;
  const [close, far] = [apart[0], apart.at(-1)];
  return `${held} To the model ${close.one} and ${close.other} are nearest to each other, ${far.one} and ${far.other} ${number(far.by / close.by, 1)} times as far apart; dots between two clouds are the ones worth a label.`;
}
