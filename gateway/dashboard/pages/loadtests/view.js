// One result: its hardware, its measurements as lines and as a table.

import { h } from "../../core/dom.js";
import { moment, number } from "../../core/format.js";
import { figure } from "../../charts/frame.js";
import { rows as barRows } from "../../charts/bars.js";
import { lines } from "../../charts/lines.js";
import { facts, field, panelWith, select, table } from "../../parts/pieces.js";
import { quantile } from "../../core/statistics.js";
import { title } from "./readings.js";

const MOST_SERIES = 8;
const MOST_LINES = 5;
const DRAWN = 2;

export const shownNumber = (value) => (value === null || value === undefined ? "–" : typeof value === "number" ? number(value, Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2) : String(value));

export function resultView(name, { content, tables }, choices, redraw) {
  return h("div", { class: "stack", "data-key": `result-${name}` }, origin(content), said(content), tables.map((one) => measured(name, one, choices, redraw)));
}

/** Of settings that vary the first value, when all together would be too many lines to tell apart. */
function usual(one, varied) {
  const lines = new Set(one.rows.map((row) => keyOf(row, varied))).size;
  const fixed = lines > MOST_LINES ? varied.filter((column) => one.settings.includes(column) || column !== varied[0]) : [];
  return Object.fromEntries(fixed.map((column) => [column, String(one.rows[0][column])]));
}

/** What the measurement itself concludes, where it does. */
const said = ({ interpretation, note }) => {
  const sentences = [...(Array.isArray(interpretation) ? interpretation : [interpretation]), note].filter((one) => typeof one === "string" && one);
  return sentences.length ? panelWith("What it says", {}, h("ul", { class: "said" }, sentences.map((one) => h("li", { class: "wrap" }, one)))) : null;
};

/** What it was measured on. */
function origin(content) {
  const { hardware = {}, software = {}, measured_at: measuredAt, settings = {} } = content;
  const flat = (group) => Object.entries(group).filter(([, value]) => value !== null && typeof value !== "object" && value !== "").map(([key, value]) => [title(key), shownNumber(value)]);
  const load = Array.isArray(hardware.load_average) ? [["load before", hardware.load_average.map((value) => number(value, 2)).join(", ")]] : [];
  const found = [...(measuredAt ? [["measured", moment(measuredAt)]] : []), ...flat(hardware), ...load];
  if (!found.length && !Object.keys(software).length) return null;
  return panelWith("Measured on", {}, facts(found), h("details", { class: "numbers" }, h("summary", {}, "Software and settings"), facts([...flat(software), ...flat(settings)])));
}

function measured(result, one, choices, redraw) {
  const id = `${result}.${one.name}`;
  const others = [...one.words, ...one.settings].filter((column) => column !== one.across);
  const varied = others.filter((column) => new Set(one.rows.map((row) => row[column])).size > 1);
  const chosen = (choices[id] ??= { filter: usual(one, varied), second: one.measures[1] });
  const rows = one.rows.filter((row) => Object.entries(chosen.filter).every(([column, value]) => value === "" || String(row[column]) === value));
  const choose = (column) => (value) => { chosen.filter[column] = value; redraw(); };
  return panelWith(
    title(one.name || "measurements"),
    { key: id },
    h("div", { class: "fields" }, varied.map((column) => field(title(column), select(chosen.filter[column] ?? "", [["", "All"], ...[...new Set(one.rows.map((row) => row[column]))].map((value) => [String(value), String(value)])], choose(column)))), field("Second plot", select(chosen.second ?? one.measures[1] ?? "", one.measures.slice(1).map((column) => [column, title(column)]), (value) => { chosen.second = value; redraw(); }))),
    h("div", { class: "grid" }, [one.measures[0], chosen.second ?? one.measures[1]].filter(Boolean).slice(0, DRAWN).map((measure) => plot(one, rows, measure, varied))),
    h("details", { class: "numbers" }, h("summary", {}, `All ${rows.length} measurements`), table(`Measurements of ${one.name}`, [...one.words.map((column) => title(column)), ...[...one.settings, ...one.measures].map((column) => [title(column)]), ...one.remarks.map((column) => title(column))], rows.map((row) => [...one.words, ...one.settings, ...one.measures, ...one.remarks].map((column) => shownNumber(row[column]))))),
  );
}

export const keyOf = (row, columns) => columns.map((column) => (typeof row[column] === "number" ? row[column] === 1 ? `1 ${title(column).replace(/s$/, "")}` : `${row[column]} ${title(column)}` : row[column])).filter((value) => value !== null && value !== undefined).join(", ") || "all";

function plot(one, rows, measure, varied) {
  const groups = new Map();
  for (const row of rows) if (typeof row[measure] === "number") groups.set(keyOf(row, varied), [...(groups.get(keyOf(row, varied)) ?? []), row]);
  const names = [...groups.keys()].slice(0, MOST_SERIES);
  if (!names.length) return null;
  const series = names.map((name) => ({ name, points: medians(groups.get(name), one.across, measure) }));
  const hidden = groups.size > names.length ? ` ${groups.size - names.length} more are in the table.` : "";
  const text = sentence(series, one.across, measure) + hidden;
  const isLine = one.across && series.some(({ points }) => new Set(points.map(([x]) => x)).size > 1);
  if (!isLine) return figure(title(measure), text, barRows(series.map(({ name, points }) => ({ name, values: [points[0][1]] })), { label: title(measure), format: shownNumber }));
  return figure(title(measure), text, lines(series, { label: `${title(measure)} by ${one.across}`, format: shownNumber, from: 0, xTitle: one.across, height: 220 }), { names });
}

/** Repeated measurements at one place are drawn as their median. */
function medians(rows, across, measure) {
  const found = new Map();
  for (const row of rows) found.set(across ? row[across] : 0, [...(found.get(across ? row[across] : 0) ?? []), row[measure]]);
  return [...found].map(([x, values]) => [x, quantile(values, 0.5)]).sort(([one], [other]) => one - other);
}

/** The highest value, and how it changes across. */
function sentence(series, across, measure) {
  const all = series.flatMap(({ name, points }) => points.map(([x, y]) => ({ name, x, y })));
  const most = all.reduce((best, one) => (one.y > best.y ? one : best));
  const least = all.reduce((best, one) => (one.y < best.y ? one : best));
  const at = ({ name, x }) => `${series.length > 1 ? name : ""}${across ? `${series.length > 1 ? " with " : ""}${x} ${across}` : ""}`;
  return `From ${shownNumber(least.y)} (${at(least)}) to ${shownNumber(most.y)} (${at(most)}) ${title(measure)}.`;
}
