// How the answers change over the days that are remembered; and the gateway's own drift score where it has one.

import { count, date, many, number, percent, time } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { lines } from "../../charts/lines.js";
import { panel } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { mean } from "../../core/statistics.js";

const NAMES = { classes: "the classes answered", confidence: "how sure the answers are", features: "how the pictures look" };
const PARTS = 10;
const ENOUGH = 40;

/** The gateway's score of each full window against what the version was made with. */
export function driftFigure({ drift }) {
  if (!drift) return panel("Drift", empty("This gateway measures no drift", "Its answers over time are beside."));
  if (drift.state === "unknown") return panel("Drift", empty("Drift is not known", `${drift.reason}.`));
  if (!drift.history.length) return panel("Drift", empty("The first window is not full yet", `A window holds ${count(drift.window)} predictions; this one holds ${count(drift.live?.predictions ?? 0)}.`));
  const windows = [...drift.history].reverse();
  const at = ({ at: moment }) => new Date(moment).getTime();
  const parts = Object.keys(windows.at(-1).parts);
  const series = parts.map((part) => ({ name: NAMES[part] ?? part.replaceAll("_", " "), points: windows.map((window) => [at(window), window.parts[part] ?? null]) }));
  return panel("Drift", figure(null, driftSentence(drift, windows), lines(series, { label: "Drift score of each window by what it is computed from; the dashed line alarms", isTime: true, from: 0, mark: drift.threshold, format: (value) => number(value, 1) }), { names: series.map(({ name }) => name), heads: ["Window", "Predictions", "Score"], rows: drift.history.slice(0, 20).map((window) => [time(window.at), count(window.predictions), number(window.score, 2)]) }));
}

function driftSentence(drift, windows) {
  const above = windows.filter(({ score }) => score >= drift.threshold).length;
  const [part, value] = Object.entries(windows.at(-1).parts).sort(([, one], [, other]) => other - one)[0];
  const expected = drift.false_alarms * windows.length;
  const told = `${above} of ${many(windows.length, "window")} of ${count(drift.window)} predictions alarmed, where chance alone makes about ${number(expected, 1)}.`;
  return `${told} The latest scores ${number(drift.score, 2)}, most by ${NAMES[part] ?? part.replaceAll("_", " ")} (${number(value, 2)}); at ${number(drift.threshold, 1)} it alarms.`;
}

/** Confidence over the latest answers, in equal parts: a model that meets new pictures grows unsure. */
export function confidenceOverTime({ predictions }) {
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
