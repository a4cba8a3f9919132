// How sure the model is now, and whether it is right when it is sure.

import { count, many, percent } from "../../core/format.js";
import { columns } from "../../charts/bars.js";
import { figure } from "../../charts/frame.js";
import { panel } from "../../parts/pieces.js";
import { empty } from "../../parts/states.js";
import { calibrationSentence } from "../../parts/sentences.js";
import { mean, quantile } from "../../core/statistics.js";

const BINS = 20;
const SURE = 0.9;
const ENOUGH = 20;

export function confidenceFigures({ predictions, card }) {
  const answered = predictions.filter(({ classifications }) => classifications.length);
  const evaluation = card?.test ?? card?.validation;
  return panel(
    "Confidence and calibration",
    answered.length ? figure("How sure the latest answers are", confidenceSentence(answered), histogram(answered), { names: ["not looked at", "right", "wrong"] }) : empty("No answers yet", "Predict a picture to see how sure the model is."),
    evaluation?.calibration.length ? figure("Right when it is sure?", calibrationSentence(evaluation), reliability(evaluation)) : null,
  );
}

function histogram(answered) {
  const bins = Array.from({ length: BINS }, () => [0, 0, 0]);
  for (const { classifications: [best], feedback } of answered) bins[Math.min(BINS - 1, Math.floor(best.score * BINS))][feedback === null ? 0 : feedback === best.label ? 1 : 2] += 1;
  return columns(bins.map((values, index) => [percent(index / BINS, 0), values]), { label: `Confidence of the latest ${count(answered.length)} answers`, format: count, height: 130, xTitle: "confidence", stacked: true });
}

function confidenceSentence(answered) {
  const scores = answered.map(({ classifications: [best] }) => best.score);
  const sure = scores.filter((score) => score >= SURE).length / scores.length;
  const told = answered.filter(({ feedback }) => feedback !== null);
  const base = `Half of the latest ${many(answered.length, "answer")} are at least ${percent(quantile(scores, 0.5))} sure; ${percent(sure, 0)} are surer than ${percent(SURE, 0)}.`;
  if (told.length < ENOUGH) return base;
  const isRight = ({ feedback, classifications: [best] }) => feedback === best.label;
  const gap = mean(told.map(({ classifications: [best] }) => best.score)) - told.filter(isRight).length / told.length;
  return `${base} Of the ${many(told.length, "one", "ones")} that people looked at, ${percent(told.filter(isRight).length / told.length)} are right, ${percent(Math.abs(gap))} ${gap > 0 ? "fewer" : "more"} than its confidence promises.`;
}

const reliability = ({ calibration }) => columns(calibration.map((bin) => [percent((bin.lower + bin.upper) / 2, 0), [bin.examples ? bin.accuracy : null]]), { label: "Share of right answers by confidence; the dashed line is perfect calibration", format: (value) => percent(value, 0), to: 1, height: 130, xTitle: "confidence", diagonal: true });
