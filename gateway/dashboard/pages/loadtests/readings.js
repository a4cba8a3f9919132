// Which lists of a result are tables of measurements, and what their columns are: words and settings to
// choose by, numbers to draw. No format is prescribed but that a measurement is one object; what is nested in
// it (a value for each replica, say) is left to the file.

const SETTINGS = ["users", "arrivals", "connections", "clients", "replicas", "batch", "workers", "threads", "rounds", "requests", "cpu", "cores"];
const ACROSS = ["users", "clients", "connections", "replicas", "batch"];
const MAIN = /per_second|a_second|rps|throughput/;
const TIME = /_ms$|milliseconds/;
const MOST_SETTINGS = 12;
/** Different values; what has more was measured, not chosen. */
const COUNTERS = ["round"];
/** They number measurements and measure nothing. */

const isRow = (row) => row && typeof row === "object" && !Array.isArray(row);
/** True for a part of a result (one of several sittings, say), which has tables of its own and is no measurement. */
const holdsRows = (part) => isRow(part) && Object.values(part).some((value) => Array.isArray(value) && value.some(isRow));
const flat = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value === null || typeof value !== "object"));

/** [{name, rows, words, remarks, settings, measures, across}] */
export function readings(content, name = "") {
  if (Array.isArray(content) && content.some(holdsRows)) return content.flatMap((part) => readings(part, name));
  if (Array.isArray(content)) return content.length > 1 && content.every(isRow) ? [described(name, content.map(flat))].filter(Boolean) : [];
  if (!content || typeof content !== "object") return [];
  return Object.entries(content).flatMap(([key, value]) => readings(value, key));
}

function described(name, rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const has = (test) => columns.filter((column) => rows.some((row) => test(row[column])));
  const numbers = has((value) => typeof value === "number");
  const isFew = (column) => new Set(rows.map((row) => row[column])).size <= MOST_SETTINGS;
  const settings = numbers.filter((column) => SETTINGS.includes(column) && isFew(column));
  const texts = has((value) => typeof value === "string").filter(isFew);
  // Words that hardly repeat say something of one measurement; they name no group of them, but for the table's rows.
  const words = texts.filter((column) => !settings.length || 2 * new Set(rows.map((row) => row[column])).size <= rows.length);
  const remarks = texts.filter((column) => !words.includes(column));
  const measures = numbers.filter((column) => !settings.includes(column) && !COUNTERS.includes(column)).sort((one, other) => rank(one) - rank(other));
  if (!measures.length) return null;
  return { name, rows, words, remarks, settings, measures, across: ACROSS.find((column) => settings.includes(column)) ?? null };
}

const rank = (column) => (MAIN.test(column) ? 0 : TIME.test(column) ? 1 : 2);

/** "answered_per_second" → "answered per second"; the unit is in the name. */
export const title = (column) => column.replaceAll("_", " ").replace(/ ms$/, ", ms").replace(/ gib$/, ", GiB");
