// Sentences that more than one page says.

import { count, percent } from "../core/format.js";

const NOTABLE = 0.02;

/** Is the model as sure as it is right? From the bins of an evaluation. */
export function calibrationSentence({ calibration, expected_calibration_error: error, examples, split }) {
  const filled = calibration.filter((bin) => bin.examples);
  const gap = filled.reduce((sum, bin) => sum + bin.examples * (bin.confidence - bin.accuracy), 0) / examples;
  const worst = [...filled].sort((one, other) => other.examples * Math.abs(other.confidence - other.accuracy) - one.examples * Math.abs(one.confidence - one.accuracy))[0];
  const tendency = Math.abs(gap) < NOTABLE / 2 ? "on the whole as sure as it is right" : gap > 0 ? `too sure, by ${percent(gap)} on average` : `less sure than it could be, by ${percent(-gap)} on average`;
  const where = worst ? ` It is furthest off between ${percent(worst.lower, 0)} and ${percent(worst.upper, 0)} confidence, where ${percent(worst.accuracy, 0)} of ${count(worst.examples)} answers are right.` : "";
  return `On ${count(examples)} ${split} pictures the model is ${tendency}; its confidence is ${percent(error)} off (expected calibration error).${where}`;
}
