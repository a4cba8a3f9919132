// How good a version is, or which of two is better, on pictures that somebody brings. Nothing of them is kept.

import { upload } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { bytes, many } from "../../core/format.js";
import { dropzone } from "../../parts/dropzone.js";
import { ACCEPTED, archiveType, asBody, foldersOf, needLabel, sizeOf, usable } from "../../parts/labelled.js";
import { button, field, panelWith, progress, select } from "../../parts/pieces.js";
import { notice } from "../../parts/states.js";
import { outcome } from "./outcome.js";

export class EvaluationPanel {
  constructor(view) {
    Object.assign(this, { view, files: [], label: "", version: null, against: null, sending: null, found: null, error: null });
  }

  get versions() {
    return this.view.versions.value?.versions ?? [];
  }

  /** The version that is looked at, and stable beside it, unless somebody chose others. */
  pair() {
    const known = (version) => this.versions.some((one) => one.version === version);
    const version = known(this.version) ? this.version : this.view.state.chosen;
    const stable = this.versions.find(({ role }) => role === "stable")?.version ?? 0;
    const against = known(this.against) || this.against === 0 ? this.against : stable;
    return [version, against === version ? 0 : against];
  }

  panel() {
    if (!this.versions.length || !this.view.state.chosen) return null;
    return panelWith(
      "Evaluate on other pictures",
      { key: "evaluation", note: "They are asked about after everybody else's, and not kept." },
      this.files.length ? null : dropzone({ title: "Drop labelled pictures, folders or a zip", text: "In folders, a picture's folder is its class. Versions that are not loaded are loaded for as long as it takes.", take: (files) => this.take(files), accept: ACCEPTED, folder: true, id: "evaluate" }),
      this.files.length ? this.form() : null,
      this.sending ? this.progress() : null,
      this.error ? notice("bad", this.error) : null,
      this.found ? outcome(this.found) : null,
    );
  }

  take(files) {
    const found = usable(files);
    const archives = found.filter(({ path }) => archiveType(path));
    const isMixed = archives.length && found.length > 1;
    const error = isMixed ? "An archive is evaluated alone; leave the other files out." : found.length || !files.length ? null : "None of these is a picture or an archive.";
    Object.assign(this, { files: isMixed ? [] : found, found: null, error });
    this.view.visit.redraw();
  }

  form() {
    const [version, against] = this.pair();
    const folders = foldersOf(this.files);
    const choices = this.versions.map((one) => [String(one.version), `Version ${one.version}${one.role ? `, ${one.role.replace("_", " ")}` : ""}`]);
    const choose = (name) => (value) => { this[name] = Number(value); this.view.visit.redraw(); };
    return h(
      "form",
      { class: "stack", onsubmit: (event) => { event.preventDefault(); this.send(version, against); } },
      h("p", {}, h("b", {}, `${many(this.files.length, "file")}, ${bytes(sizeOf(this.files))}`), folders.size ? `, in ${many(folders.size, "class folder")}` : ""),
      h(
        "div",
        { class: "fields" },
        field("Evaluate", select(String(version), choices, choose("version"))),
        field("Beside", select(String(against), [["0", "No other version"], ...choices.filter(([value]) => value !== String(version))], choose("against"))),
        needLabel(this.files) ? field("Their class", h("input", { type: "text", value: this.label, required: true, maxlength: 120, list: "evaluated-classes", oninput: (event) => (this.label = event.target.value.trim()) }), folders.size ? "Of those in no folder" : null) : null,
      ),
      h("datalist", { id: "evaluated-classes" }, this.view.app.labels.map((label) => h("option", { value: label }))),
      h("div", { class: "row" }, h("button", { type: "submit", class: "button primary", disabled: Boolean(this.sending) }, "Evaluate"), button("Choose others", () => this.take([]), { tone: "quiet", disabled: Boolean(this.sending) })),
    );
  }

  progress() {
    const { share, life } = this.sending;
    const isSent = share >= 1;
    return h("div", { class: "stack" }, progress(isSent ? null : share, "Evaluation"), h("div", { class: "row row-apart" }, h("p", { class: "soft", role: "status" }, isSent ? "All sent; the versions are being asked." : "Sending the pictures."), button("Stop", () => life.abort(), { tone: "small" })));
  }

  /** The files stay chosen, so that other versions can be asked, and a failed attempt be repeated. */
  async send(version, against) {
    const { visit, path } = this.view;
    const life = new AbortController();
    visit.signal.addEventListener("abort", () => life.abort(), { once: true });
    Object.assign(this, { sending: { share: 0, life }, error: null, found: null });
    visit.redraw();
    const [body, headers] = asBody(this.files, this.label);
    const onProgress = (loaded, total) => { if (this.sending) this.sending.share = total ? loaded / total : 0; visit.redraw(); };
    try {
      this.found = await upload(`${path}/versions/${version}/evaluation${against ? `?against=${against}` : ""}`, body, { signal: life.signal, headers, onProgress });
    } catch (error) {
      this.error = error.name === "AbortError" ? "Stopped. The files are still chosen." : error.message;
    }
    this.sending = null;
    if (!visit.signal.aborted) visit.redraw();
  }
}
