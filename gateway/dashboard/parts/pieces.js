// The small pieces that every page is made of.

import { h } from "../core/dom.js";
import { ago, moment, percent, time } from "../core/format.js";

/** The head of a page: its name, what it is about, what can be done. */
export const head = (title, text, ...actions) =>
  h("div", { class: "head" }, h("div", {}, h("h1", {}, title), text ? h("p", { class: "lead" }, text) : null), actions.length ? h("div", { class: "row" }, actions) : null);

/** A surface with a title. */
export const panel = (title, ...children) => panelWith(title, {}, ...children);
export const panelWith = (title, { actions = null, note = null, wide = false, key = null, id = null }, ...children) =>
  h(
    "section",
    { class: wide ? "panel wide" : "panel", "data-key": key, id },
    title ? h("div", { class: "panel-head" }, h("h2", {}, title), note ? h("span", { class: "faint" }, note) : null, actions ? h("div", { class: "row" }, actions) : null) : null,
    children,
  );

/** One figure: what it is, how much, and beside what to see it. */
export const tile = (title, value, detail, extra = null, tone = null) =>
  h("div", { class: tone ? `tile tile-${tone}` : "tile" }, h("h2", {}, title), h("p", { class: "figure" }, value), h("p", { class: "faint" }, detail ?? " "), extra);

export const badge = (text, tone = "idle") => h("span", { class: `badge badge-${tone}` }, text);
export const button = (title, onclick, { tone = "", sign = null, ...more } = {}) => h("button", { type: "button", class: `button ${tone}`, onclick, ...more }, sign, title);
export const anchor = (title, href, tone = "") => h("a", { class: `button ${tone}`, href }, title);
export const when = (value) => h("time", { datetime: value, title: moment(value) }, ago(value));
export const at = (value) => h("time", { datetime: value, title: moment(value) }, time(value));

/** One of a few: [[value, title], …]. */
export const segments = (title, chosen, choices, choose) =>
  h("div", { class: "segments", role: "group", "aria-label": title }, choices.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value) }, text)));

/** A labelled control. */
export const field = (title, control, hint = null) => h("div", { class: "field" }, h("label", { class: "field" }, h("span", {}, title), control), hint ? h("small", {}, hint) : null);
export const select = (chosen, choices, onchange, more = {}) =>
  h("select", { ...more, value: chosen, onchange: (event) => onchange(event.target.value) }, choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));

/** Rows under heads; a head is a title or [title, "number"]. */
export function table(caption, heads, rows, { isCaptionShown = false } = {}) {
  const numeric = heads.map((one) => Array.isArray(one));
  return h(
    "div",
    { class: "table-frame", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: isCaptionShown ? null : "hidden" }, caption),
      h("thead", {}, h("tr", {}, heads.map((one, index) => h("th", { scope: "col", class: numeric[index] ? "number" : null }, Array.isArray(one) ? one[0] : one)))),
      h("tbody", {}, rows.map((cells) => row(cells, numeric))),
    ),
  );
}

function row(cells, numeric) {
  const { key = null, cells: found = cells, isChosen = false } = Array.isArray(cells) ? {} : cells;
  return h("tr", { "data-key": key, class: isChosen ? "is-chosen" : null }, found.map((cell, index) => h("td", { class: numeric[index] ? "number" : null }, cell)));
}

/** Ranked classes as bars; the first one is the answer. */
export const classBars = (classifications, right = null) =>
  h(
    "ol",
    { class: "class-bars" },
    classifications.map(({ label, score }) =>
      h("li", { class: label === right ? "is-right" : null }, h("span", { class: "name" }, label), h("span", { class: "bar" }, h("span", { style: { width: `${Math.max(0.5, score * 100)}%` } })), h("span", { class: "number" }, percent(score)))),
  );

/** How far something is; without a share, that it goes on. */
export const progress = (share, title) =>
  h("div", { class: share === null ? "progress is-endless" : "progress", role: "progressbar", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share === null ? null : Math.round(share * 100) }, h("span", { style: { width: share === null ? "30%" : `${share * 100}%` } }));

/** A picture of the API in a fixed frame; one that cannot be shown says so. */
export const picture = (src, alt, more = {}) =>
  h("img", { class: "picture", src, alt, loading: "lazy", decoding: "async", onerror: (event) => event.target.classList.add("is-missing"), ...more });

/** A kept picture at most so many pixels wide and high: 32, 64, 128 or 256. */
export const sized = (src, side) => `${src}?side=${side}`;

/** A kept picture among others, sharp on fine screens too. */
export const thumbnail = (src, alt, side = 128) => picture(sized(src, side), alt, { srcset: `${sized(src, side * 2)} 2x` });

/** Names and values. */
export const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
