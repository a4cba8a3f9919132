// What all charts share: a plot that takes the width it gets, and words around it that stay as large as text.
//
// The plot's inside is a square of 100 × 100 stretched to fit (strokes do not scale), so nothing has to be
// measured and nothing jumps when the window changes.

import { h, s } from "../core/dom.js";

export const SERIES = ["one", "two", "three", "four", "five", "six", "seven", "eight"];

/** `x` and `y`: [[share, text], …] of the ticks; `inside`: SVG in 100 × 100, y downwards. */
export function frame({ label, height = 180, x = [], y = [], xTitle = null, yTitle = null, inside = [], over = [], onpointermove = null, onpointerleave = null }) {
  return h(
    "div",
    { class: "chart" },
    yTitle ? h("p", { class: "axis-title" }, yTitle) : null,
    h(
      "div",
      { class: "chart-grid" },
      h("div", { class: "axis-y", "aria-hidden": "true" }, y.map(([at, text]) => h("span", { style: { top: `${(1 - at) * 100}%` } }, text))),
      h(
        "div",
        { class: "plot", style: { height: `${height}px` }, onpointermove, onpointerleave },
        s(
          "svg",
          { role: "img", "aria-label": label, viewBox: "0 0 100 100", preserveAspectRatio: "none" },
          y.map(([at]) => s("line", { class: "grid", x1: 0, x2: 100, y1: (1 - at) * 100, y2: (1 - at) * 100 })),
          inside,
        ),
        over,
      ),
      h("div", { class: "axis-x", "aria-hidden": "true" }, x.map(([at, text]) => h("span", { style: { left: `${at * 100}%` } }, text))),
    ),
    xTitle ? h("p", { class: "axis-title axis-title-x" }, xTitle) : null,
  );
}

/** Which colour is what. */
export const legend = (names) => h("ul", { class: "legend" }, names.map((name, index) => h("li", {}, h("span", { class: `key series-${SERIES[index % SERIES.length]}` }), name)));

/** A chart with its words, what it says, and the numbers behind it as a table. */
export function figure(title, sentence, chart, { heads = null, rows = [], names = null } = {}) {
  return h(
    "figure",
    { class: "figure-block" },
    title ? h("figcaption", {}, title) : null,
    names ? legend(names) : null,
    chart,
    sentence ? h("p", { class: "sentence" }, sentence) : null,
    heads ? h("details", { class: "numbers" }, h("summary", {}, "Show the numbers"), numbers(title ?? "Numbers", heads, rows)) : null,
  );
}

const numbers = (title, heads, rows) =>
  h(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": `${title}, as a table` },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map((head, index) => h("th", { scope: "col", class: index ? "number" : null }, head)))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, index) => h("td", { class: index ? "number" : null }, cell)))))),
  );
