// Lines over time or epochs, with the values under the pointer; and sparklines.

import { h, s } from "../core/dom.js";
import { date, minutes, seconds, time } from "../core/format.js";
import { SERIES, frame } from "./frame.js";
import { domain, share, ticks, timeTicks } from "./scale.js";

const DAY = 86_400_000;

/** `points`: [[x, y], …] ascending; a null y breaks the line. */
function path(points, x, y) {
  let pen = "M";
  let found = "";
  for (const [at, value] of points) {
    if (value === null || value === undefined) {
      pen = "M";
      continue;
    }
    found += `${pen}${round(x(at) * 100)} ${round((1 - y(value)) * 100)}`;
    pen = "L";
  }
  return found;
}

const round = (value) => Math.round(value * 100) / 100;

/** Points without neighbours are dots: a line of no length, drawn thick with round caps. */
const dots = (d) => d.split("M").filter((run) => run && !run.includes("L")).map((run) => `M${run}h0.01`).join("");

/** `series`: [{name, points, isArea}], at most eight. */
export function lines(series, { label, isTime = false, format = String, height, from = null, to = null, span = null, xTitle = null, yTitle = null, mark = null }) {
  const all = series.flatMap(({ points }) => points);
  const reach = span ?? [Math.min(...all.map(([x]) => x)), Math.max(...all.map(([x]) => x))];
  const x = share(reach);
  const values = domain(all.map(([, y]) => y), { from, to });
  const y = share(values);
  const moments = isTime ? timeTicks(...reach) : places(all, reach);
  const isShort = moments.length > 1 && moments[1] - moments[0] < 60_000;
  const word = isTime ? (at) => (reach[1] - reach[0] > 2 * DAY ? date(at) : isShort ? seconds(at) : minutes(at)) : String;
  return frame({
    label,
    height,
    xTitle,
    yTitle,
    x: moments.map((at) => [x(at), word(at)]),
    y: ticks(...values).map((value) => [y(value), format(value)]),
    inside: [
      mark !== null && mark >= values[0] && mark <= values[1] ? s("line", { class: "mark", x1: 0, x2: 100, y1: (1 - y(mark)) * 100, y2: (1 - y(mark)) * 100 }) : null,
      series.map(({ points, isArea }, index) => [isArea ? area(points, x, y, index) : null, line(path(points, x, y), SERIES[index % SERIES.length])]),
    ],
    over: h("div", { class: "reading", hidden: true, "aria-hidden": "true", keep: true }, h("span", { class: "hair" }), h("p", {})),
    onpointermove: (event) => read(event, series, reach, x, isTime ? time : (at) => `${xTitle ?? ""} ${at}`.trim(), format),
    onpointerleave: (event) => (event.currentTarget.querySelector(".reading").hidden = true),
  });
}

/** Every place that was measured where they are few, else round ones. */
function places(all, reach) {
  const found = [...new Set(all.map(([x]) => x))].sort((one, other) => one - other);
  const apart = (reach[1] - reach[0]) / 14;
  if (found.length <= 8) return found.filter((x, index) => index === 0 || x - found[index - 1] > apart || index === found.length - 1);
  return ticks(...reach, 6).filter(Number.isInteger);
}

const line = (d, tone) => [s("path", { class: `line series-${tone}`, d }), dots(d) ? s("path", { class: `line dots series-${tone}`, d: dots(d) }) : null];

function area(points, x, y, index) {
  const known = points.filter(([, value]) => value !== null && value !== undefined);
  if (known.length < 2) return null;
  const d = `${path(known, x, y)}L${round(x(known.at(-1)[0]) * 100)} 100L${round(x(known[0][0]) * 100)} 100Z`;
  return s("path", { class: `area series-${SERIES[index]}`, d });
}

/** Show the values next to the pointer. */
function read(event, series, [low, high], x, word, format) {
  const box = event.currentTarget.getBoundingClientRect();
  const wanted = low + ((event.clientX - box.left) / box.width) * (high - low);
  const nearest = series.map(({ name, points }) => [name, points.reduce((best, point) => (Math.abs(point[0] - wanted) < Math.abs(best[0] - wanted) ? point : best), points[0] ?? [NaN, null])]);
  const at = nearest.find(([, point]) => Number.isFinite(point[0]))?.[1][0];
  const reading = event.currentTarget.querySelector(".reading");
  if (at === undefined) return;
  reading.hidden = false;
  reading.style.left = `${x(at) * 100}%`;
  reading.classList.toggle("is-left", x(at) > 0.6);
  reading.querySelector("p").replaceChildren(word(at), ...nearest.flatMap(([name, point]) => [h("br"), `${name} ${format(point[1])}`]));
}

/** A small line without words; the figure beside it says the value. */
export function spark(points, { tone = "one", span = null, from = 0 } = {}) {
  const known = points.filter(([, value]) => value !== null && value !== undefined);
  if (known.length < 2) return h("div", { class: "spark" });
  const x = share(span ?? [known[0][0], known.at(-1)[0]]);
  const y = share(domain(known.map(([, value]) => value), { from }));
  return h(
    "div",
    { class: "spark", "aria-hidden": "true" },
    s("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, s("path", { class: `area series-${tone}`, d: `${path(known, x, y)}L${x(known.at(-1)[0]) * 100} 100L${x(known[0][0]) * 100} 100Z` }), s("path", { class: `line series-${tone}`, d: path(known, x, y) })),
  );
}
