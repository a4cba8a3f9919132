// Bars: by name as rows, by value as columns.

import { h, s } from "../core/dom.js";
import { SERIES, frame } from "./frame.js";
import { domain, share, ticks } from "./scale.js";

/** One row a name: [{name, values: [n, …], note, colour}], values beside one another on one line. */
export function rows(items, { label, names = [""], format = String, to = null }) {
  const most = to ?? Math.max(...items.map(({ values }) => values.reduce((sum, value) => sum + value, 0)), 1e-9);
  return h(
    "ul",
    { class: "bar-rows", "aria-label": label },
    items.map(({ name, values, note, colour }) =>
      h(
        "li",
        {},
        h("span", { class: "name", title: name }, name),
        h("span", { class: "bar", "aria-hidden": "true" }, values.map((value, index) => h("span", { class: `series-${SERIES[index]}`, title: names[index], style: { width: `${(value / most) * 100}%`, ...(colour ? { background: colour } : {}) } }))),
        h("span", { class: "number" }, note ?? format(values.reduce((sum, value) => sum + value, 0))),
      ),
    ),
  );
}

/** Columns side by side over groups: [[group, [value per series]], …]. */
export function columns(groups, { label, format = String, height, to = null, from = 0, xTitle = null, yTitle = null, diagonal = false, stacked = false }) {
  const totals = groups.flatMap(([, values]) => (stacked ? [values.reduce((sum, value) => sum + value, 0)] : values));
  const reach = domain(totals, { from, to });
  const y = share(reach);
  const wide = 100 / groups.length;
  const every = Math.ceil(groups.length / 12);
  return frame({
    label,
    height,
    xTitle,
    yTitle,
    x: groups.map(([name], index) => [(index + 0.5) / groups.length, name]).filter((_, index) => index % every === 0),
    y: ticks(...reach).map((value) => [y(value), format(value)]),
    inside: [groups.map(([, values], index) => (stacked ? pile : sideBySide)(values, index * wide, wide, y)), diagonal ? s("line", { class: "mark", x1: 0, y1: 100, x2: 100, y2: 0 }) : null],
  });
}

const box = (index, x, width, top, height) => s("rect", { class: `column series-${SERIES[index % SERIES.length]}`, x, width: Math.max(0.2, width), y: top, height: Math.max(0, height) });

function sideBySide(values, left, wide, y) {
  const each = (wide * 0.8) / values.length;
  return values.map((value, index) => (value === null ? null : box(index, left + wide * 0.1 + index * each, each * 0.92, (1 - y(value)) * 100, y(value) * 100)));
}

function pile(values, left, wide, y) {
  let below = 0;
  return values.map((value, index) => {
    const from = y(below);
    below += value;
    return box(index, left + wide * 0.1, wide * 0.8, (1 - y(below)) * 100, (y(below) - from) * 100);
  });
}
