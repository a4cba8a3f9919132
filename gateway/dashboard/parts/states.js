// What stands where a value is not there: loading, nothing yet, wrong. Each says what to do.

import { h } from "../core/dom.js";
import { icon } from "./icons.js";

/** As high as what will come, so that nothing jumps. */
export const loading = (height = 120, what = "Loading") =>
  h("div", { class: "skeleton", style: { height: `${height}px` }, role: "status" }, h("span", { class: "hidden" }, `${what} …`));

/** Nothing there yet, and how there could be. */
export const empty = (title, text, ...actions) =>
  h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), text && h("p", {}, text), actions.length ? h("div", { class: "row" }, actions) : null);

/** What went wrong, in the gateway's own words, and a way to try again. */
export function failure(error, again) {
  const isBroken = !("code" in error);
  const text = isBroken && error instanceof TypeError
    ? "A part of this page could not be loaded. If the gateway was updated, loading the page again helps."
    : error.message;
  return h(
    "div",
    { class: "notice notice-bad", role: "alert" },
    icon("warning"),
    h("div", {}, h("p", {}, text), error.problem?.request_id ? h("p", { class: "faint" }, `Request ${error.problem.request_id}`) : null),
    again ? h("button", { type: "button", class: "button small", onclick: again }, "Try again") : null,
  );
}

/** A hint with a tone: info, good, warning, bad. */
export const notice = (tone, ...children) =>
  h("div", { class: `notice notice-${tone}`, role: tone === "bad" ? "alert" : "status" }, icon(tone === "good" ? "check" : tone === "info" ? "info" : "warning"), h("div", {}, children));

/** A resource's value drawn by `draw`; before it, a skeleton of `height`; on failure, why. */
export function shown(resource, draw, { height = 120, whenMissing } = {}) {
  if (resource.value !== undefined) {
    const stale = resource.error ? h("p", { class: "stale", role: "status" }, `${resource.error.message} Showing what was known before.`) : null;
    return [stale, draw(resource.value)];
  }
  if (!resource.error) return loading(height);
  if (whenMissing && resource.error.status === 404) return whenMissing(resource.error);
  return failure(resource.error, () => resource.reload());
}
