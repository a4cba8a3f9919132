// A map of answers as the model tells pictures apart: by what its last layer sees where the version gives
// that, else by its scores. It says which.

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
  const map = (known.seenMap ??= byEmbedding(known)) ?? (known.scoresMap ??= byScores(known));
  if (!map) return panel("Map of the answers", empty("Too few answers for a map", `${count(known.predictions.length)} are remembered; ${ENOUGH} are needed.`));
  const { answers, axes, labels } = map;
  const colours = Object.fromEntries(labels.map((label, index) => [label, hue(index, labels.length)]));
  const points = answers.map(({ classifications: [best], feedback }, index) => ({ x: axes[0].places[index], y: axes[1].places[index], colour: colours[best.label], name: `${best.label}, ${percent(best.score, 0)} sure${feedback && feedback !== best.label ? `, truly ${feedback}` : ""}` }));
  const legend = h("ul", { class: "legend" }, labels.map((label) => h("li", { class: "wrap" }, h("span", { class: "key", style: { background: colours[label] } }), label)));
  const says = [map.held(known), closeness(map.apart)].filter(Boolean).join(" ");
  return panel("Map of the answers", figure(null, says, h("div", {}, legend, cloud(points, { label: `Latest answers by the two strongest differences of ${map.what}`, height: 280, format: (value) => number(value, 0), xTitle: `strongest difference of ${map.what}`, yTitle: "second strongest" }))));
}

/** Null while the version has not answered, or where too few pictures are kept. */
function byEmbedding({ seen, predictions }) {
  if (!seen) return null;
  const found = new Map(seen.predictions.map(({ id, embedding }) => [id, embedding]));
  const answers = predictions.filter(({ id, classifications }) => found.has(id) && classifications.length);
  if (answers.length < ENOUGH) return null;
  const rows = answers.map(({ id }) => found.get(id));
  const held = (_, axes) => `Each dot is one of the latest ${many(answers.length, "picture")} as the network sees it: the ${count(rows[0].length)} numbers that the last layer of version ${seen.version} decides by, in the colour of the class that was answered. The two directions hold ${percent(axes[0].share + axes[1].share, 0)} of their differences.`;
  return mapped(answers, rows, "what the network sees", held);
}

function byScores({ predictions }) {
  const answers = predictions.filter(({ classifications }) => classifications.length).slice(0, MOST);
  if (answers.length < ENOUGH) return null;
  const columns = [...new Set(answers.flatMap(({ classifications }) => classifications.map(({ label }) => label)))];
  const rows = answers.map(({ classifications }) => {
    const scores = Object.fromEntries(classifications.map(({ label, score }) => [label, score]));
    return columns.map((label) => Math.log10(Math.max(FLOOR, scores[label] ?? 0)));
  });
  const sure = mean(answers.map(({ classifications: [best] }) => best.score));
  const held = (known, axes) => `Each dot is one of the latest ${many(answers.length, "answer")} by its scores, ${percent(sure, 0)} sure on average${why(known)}. The two directions hold ${percent(axes[0].share + axes[1].share, 0)} of the differences of their five best scores.`;
  return mapped(answers, rows, "log scores", held);
}

/** Why it is a map of scores. */
function why({ seen, unseen, card, version }) {
  if (!card?.embedding) return `; version ${version} does not give what its network sees`;
  if (unseen) return `; what the network sees could not be had (${unseen.message.replace(/\.$/, "")})`;
  return seen ? "; too few of their pictures are kept for a map of what the network sees" : "";
}

function mapped(answers, rows, what, held) {
  const labels = [...new Set(answers.map(({ classifications: [best] }) => best.label))].sort();
  const axes = principal(rows);
  return { answers, labels, axes, what, apart: nearest(labels, answers, rows), held: (known) => held(known, axes) };
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

function closeness(apart) {
  if (apart.length < 2) return "";
  const [close, far] = [apart[0], apart.at(-1)];
  return `To the model ${close.one} and ${close.other} are nearest to each other, ${far.one} and ${far.other} ${number(far.by / close.by, 1)} times as far apart; dots between two clouds are the ones worth a label.`;
}
