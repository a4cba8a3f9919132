// The few statistics that the sentences are made from.

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The value below which a share of the values lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.min(sorted.length - 1, low + 1)] - sorted[low]) * (at - low);
}

/** η²: the share of the variance of values that their groups explain, 0–1. */
export function explained(groups) {
  const all = groups.flat();
  const middle = mean(all);
  const total = all.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const between = groups.reduce((sum, group) => sum + group.length * (mean(group) - middle) ** 2, 0);
  return total ? between / total : 0;
}

/** As many equally frequent classes would be as uncertain: exp of the entropy. */
export function effective(counts) {
  const all = counts.reduce((sum, value) => sum + value, 0);
  return Math.exp(-counts.filter(Boolean).reduce((sum, value) => sum + (value / all) * Math.log(value / all), 0));
}

/** Half the sum of the differences of two distributions: the share that would have to change. */
export const distance = (one, other) => Object.keys({ ...one, ...other }).reduce((sum, key) => sum + Math.abs((one[key] ?? 0) - (other[key] ?? 0)), 0) / 2;

/** Counts as shares. */
export function shares(counts) {
  const all = Object.values(counts).reduce((sum, value) => sum + value, 0);
  return Object.fromEntries(Object.entries(counts).map(([key, value]) => [key, all ? value / all : 0]));
}

/** The two directions along which rows differ most, and the share of the variance that each holds. */
export function principal(rows, rounds = 40) {
  const width = rows[0].length;
  const middle = Array.from({ length: width }, (_, column) => mean(rows.map((row) => row[column])));
  const centred = rows.map((row) => row.map((value, column) => value - middle[column]));
  const total = centred.reduce((sum, row) => sum + row.reduce((inner, value) => inner + value * value, 0), 0);
  const found = [];
  for (let axis = 0; axis < 2; axis++) {
    const direction = strongest(centred, width, rounds, axis);
    const places = centred.map((row) => dot(row, direction));
    found.push({ places, share: total ? dot(places, places) / total : 0 });
    centred.forEach((row, index) => { for (let column = 0; column < width; column++) row[column] -= places[index] * direction[column]; });
  }
  return found;
}

const dot = (one, other) => one.reduce((sum, value, index) => sum + value * other[index], 0);

/** Power iteration on the covariance, from a fixed start, so that the same pictures give the same map. */
function strongest(rows, width, rounds, axis) {
  let direction = Array.from({ length: width }, (_, column) => Math.sin(column + 1 + axis));
  for (let round = 0; round < rounds; round++) {
    const next = new Array(width).fill(0);
    for (const row of rows) {
      const along = dot(row, direction);
      for (let column = 0; column < width; column++) next[column] += along * row[column];
    }
    const length = Math.hypot(...next) || 1;
    direction = next.map((value) => value / length);
  }
  return direction;
}
