// How the answers change over the days that are remembered; and the gateway's own drift score where it has one.

import { count, date, percent } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { lines } from "../../charts/lines.js";
import { panel } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { mean } from "./statistics.js";

const PARTS = 10;
const ENOUGH = 40;

/** Confidence over the latest answers, in equal parts: a model that meets new pictures grows unsure. */
export function driftFigure({ predictions }) {
  const answered = predictions.filter(({ classifications }) => classifications.length).reverse();
  if (answered.length < ENOUGH) return panel("Confidence over time", empty("Too few answers to see a change", `${count(answered.length)} answers are remembered; ${ENOUGH} are needed.`));
  const size = Math.ceil(answered.length / PARTS);
  const parts = Array.from({ length: PARTS }, (_, index) => answered.slice(index * size, (index + 1) * size)).filter((part) => part.length);
  const points = parts.map((part) => [new Date(part[part.length >> 1].at).getTime(), mean(part.map(({ classifications: [best] }) => best.score))]);
  return panel("Confidence over time", figure(null, sentence(answered, parts), lines([{ name: "mean confidence", points }], { label: "Mean confidence of the latest answers over time", isTime: true, from: 0, to: 1, format: (value) => percent(value, 0) })));
}

function sentence(answered, parts) {
  const scores = (half) => half.map(({ classifications: [best] }) => best.score);
  const middle = answered.length >> 1;
  const [before, after] = [scores(answered.slice(0, middle)), scores(answered.slice(middle))];
  const change = mean(after) - mean(before);
  const spread = (values) => values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1) / values.length;
  const error = Math.sqrt(spread(before) + spread(after));
  const word = Math.abs(change) < 2 * error ? "no more than chance would make of it" : change < 0 ? "so the model has grown less sure: look at the newest pictures" : "so the model has grown surer";
  return `Between the older and the newer half of ${count(answered.length)} answers (${date(answered[0].at)} to ${date(answered.at(-1).at)}) the mean confidence went from ${percent(mean(before))} to ${percent(mean(after))}, ${word} (standard error ${percent(error)}).`;
}
