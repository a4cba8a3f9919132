// From values to shares of a side, and round numbers for the axes.

/** At most `wanted` + 1 round values that span from `low` to `high`. */
export function ticks(low, high, wanted = 4) {
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

/** A domain that ends on round numbers; `from`: a value that must be in it. */
export function domain(values, { from = null, to = null } = {}) {
  const known = values.filter((value) => Number.isFinite(value));
  const low = from ?? Math.min(...known);
  const high = to ?? Math.max(...known, low);
  const marks = ticks(low, high > low ? high : low + 1);
  const step = marks.length > 1 ? marks[1] - marks[0] : 1;
  return [from ?? Math.floor(low / step + 1e-9) * step, to ?? Math.ceil((high > low ? high : low + 1) / step - 1e-9) * step];
}

/** value → 0…1 */
export const share = ([low, high]) => (value) => (high > low ? (value - low) / (high - low) : 0.5);

const HOUR = 3_600_000;
const STEPS = [1000, 5000, 15_000, 60_000, 300_000, 600_000, 900_000, 1_800_000, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 7 * 24 * HOUR, 30 * 24 * HOUR];

/** Round moments of the reader's zone between two. */
export function timeTicks(low, high, wanted = 6) {
  const step = STEPS.find((size) => (high - low) / size <= wanted) ?? STEPS.at(-1);
  const zone = new Date(low).getTimezoneOffset() * 60_000;
  const found = [];
  for (let at = Math.ceil((low - zone) / step) * step + zone; at <= high; at += step) found.push(at);
  return found;
}
