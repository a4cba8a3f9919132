// Which lists of a result are tables of measurements, and what their columns are: words and settings to
// choose by, numbers to draw. No format is prescribed but that a measurement is one flat object.

const SETTINGS = ["users", "arrivals", "connections", "clients", "replicas", "batch", "workers", "threads", "rounds", "requests", "cpu", "cores"];
const ACROSS = ["users", "clients", "connections", "replicas", "batch"];
const MAIN = /per_second|a_second|rps|throughput/;
const TIME = /_ms$|milliseconds/;

const isFlat = (row) => row && typeof row === "object" && !Array.isArray(row) && Object.values(row).every((value) => value === null || typeof value !== "object");

/** [{name, rows, words, settings, measures, across}] */
export function readings(content, name = "") {
  if (Array.isArray(content)) return content.length > 1 && content.every(isFlat) ? [described(name, content)].filter(Boolean) : [];
  if (!content || typeof content !== "object") return [];
  return Object.entries(content).flatMap(([key, value]) => readings(value, key));
}

function described(name, rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const has = (test) => columns.filter((column) => rows.some((row) => test(row[column])));
  const numbers = has((value) => typeof value === "number");
  const words = has((value) => typeof value === "string").filter((column) => new Set(rows.map((row) => row[column])).size <= 12);
  const settings = numbers.filter((column) => SETTINGS.includes(column));
  const measures = numbers.filter((column) => !SETTINGS.includes(column)).sort((one, other) => rank(one) - rank(other));
  if (!measures.length) return null;
  return { name, rows, words, settings, measures, across: ACROSS.find((column) => settings.includes(column)) ?? null };
}

const rank = (column) => (MAIN.test(column) ? 0 : TIME.test(column) ? 1 : 2);

/** "answered_per_second" → "answered per second"; the unit is in the name. */
export const title = (column) => column.replaceAll("_", " ").replace(/ ms$/, ", ms").replace(/ gib$/, ", GiB");
