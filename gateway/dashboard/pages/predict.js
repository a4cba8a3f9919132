// Pictures in, ranked classes out: many at once, each right or corrected by one key, two versions side by side.

import { api } from "../core/api.js";
import { h } from "../core/dom.js";
import { many } from "../core/format.js";
import { photograph } from "../parts/camera.js";
import { dropzone, pasted } from "../parts/dropzone.js";
import { icon } from "../parts/icons.js";
import { button, field, head, panel, progress, select } from "../parts/pieces.js";
import { empty, notice } from "../parts/states.js";
import { card } from "./predict/card.js";
import { Queue } from "./predict/queue.js";

const SHOWN_FIRST = 24;

export function open(visit) {
  const { app } = visit;
  const state = { version: visit.query.get("version") ?? "", other: visit.query.get("other") ?? "", shown: SHOWN_FIRST };
  const queue = new Queue(app, state, visit);
  const versions = visit.resource((signal) => (app.model ? api.get(`/v1/models/${app.model}/versions`, { signal }) : { versions: [] }), 15);
  const take = (files) => queue.add(files.filter(({ file }) => file.type.startsWith("image/") || !file.type));
  document.addEventListener("paste", (event) => take(pasted(event)), { signal: visit.signal });
  const shoot = async () => {
    const blob = await photograph();
    if (blob) take([{ file: new File([blob], "camera.jpg", { type: "image/jpeg" }), path: "camera.jpg" }]);
  };
  visit.show(() => [
    head("Predict", app.model ? `Ask ${app.model}. Saying right or wrong teaches the next version.` : null, button("Camera", shoot, { sign: icon("camera"), disabled: !app.model })),
    app.model ? null : empty("There is no model to ask", "Train one on the page Training, or put a version into the model store."),
    app.model ? h("div", { class: "predict-top" }, dropzone({ title: "Drop pictures here", text: "or paste one (Ctrl V). JPEG, PNG, WebP, GIF, BMP, TIFF; as large or small as they are.", take }), options(state, versions.value?.versions ?? [], visit, queue)) : null,
    overall(queue),
    results(queue, state, app, visit),
  ]);
}

function options(state, versions, visit, queue) {
  const loaded = versions.filter((version) => version.state === "available");
  const choices = loaded.map((version) => [String(version.version), `Version ${version.version}${version.role ? `, ${version.role.replace("_", " ")}` : ""}`]);
  const gone = [state.version, state.other].filter((version) => version && versions.length && !choices.some(([value]) => value === version));
  const choose = (name) => (value) => {
    state[name] = value;
    visit.remember("predict", { version: state.version, other: state.other });
    if (name === "other") queue.compareAll();
    visit.redraw();
  };
  return panel(
    "Who answers",
    field("Version", select(state.version, [["", "As the rollout says"], ...choices], choose("version"))),
    field("Compare with", select(state.other, [["", "Nothing"], ...choices], choose("other")), loaded.length < 2 ? "Only loaded versions can be asked; promote, shadow or pin one on the page Versions." : null),
    gone.length ? notice("warning", `Version ${gone.join(" and ")} is no longer loaded; choose another one.`) : null,
  );
}

function overall(queue) {
  const { done, all, failed } = queue.counts();
  if (!all) return null;
  const isBusy = done < all;
  return h(
    "div",
    { class: "overall" },
    h("p", { role: "status" }, isBusy ? `${done} of ${many(all, "picture")} answered` : `${many(all, "picture")} answered`, failed ? `, ${failed} could not be` : ""),
    isBusy ? progress(done / all, "Pictures answered") : null,
    h("div", { class: "row" }, failed && !isBusy ? button("Try the failed ones again", () => queue.retry(), { tone: "small" }) : null, isBusy ? button("Stop", () => queue.stop(), { tone: "small" }) : button("Clear", () => queue.clear(), { tone: "small" })),
  );
}

function results(queue, state, app, visit) {
  if (!queue.items.length) return null;
  const rest = queue.items.length - state.shown;
  const more = () => { state.shown += SHOWN_FIRST; visit.redraw(); };
  return [
    app.may("label") ? h("p", { class: "faint" }, "On a picture: ", h("kbd", {}, "Y"), " right, ", h("kbd", {}, "1"), "–", h("kbd", {}, "0"), " the class it truly shows, ", h("kbd", {}, "U"), " take back, arrows to the next.") : null,
    h("div", { class: "prediction-grid" }, queue.items.slice(0, state.shown).map((item) => card(item, queue, app))),
    rest > 0 ? h("div", {}, button(`Show more (${rest} hidden)`, more)) : null,
  ];
}
