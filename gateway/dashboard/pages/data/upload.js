// Bringing labelled pictures: files with one class, folders of classes, or an archive; in parts, so that
// ten thousand files need no body of two gigabytes, and what was sent stays when a part fails.

import { ApiError, upload } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { bytes, count, many } from "../../core/format.js";
import { dropzone } from "../../parts/dropzone.js";
import { ACCEPTED, archiveType, asBody, foldersOf, needLabel, sizeOf, usable } from "../../parts/labelled.js";
import { badge, button, field, panel, progress, table } from "../../parts/pieces.js";
import { notice } from "../../parts/states.js";

const PART_FILES = 200;
const PART_BYTES = 64e6;
const MOST_SHOWN = 200;
const TRIES = 4;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
const TONES = { added: "good", duplicate: "idle", conflict: "warning", refused: "bad" };
const OUTCOMES = [["added", "added"], ["duplicates", "already there"], ["conflicts", "there under another class"], ["refused", "refused"]];

export class UploadForm {
  constructor(view, imports) {
    Object.assign(this, { view, imports, files: [], label: "", dataset: null, sending: null, report: null, error: null });
  }

  panel(datasets) {
    const name = this.dataset ?? this.view.state.dataset ?? this.view.app.model ?? "";
    return panel(
      "Add pictures",
      dropzone({ title: "Drop files, folders or a zip", text: "In folders, a picture's folder is its class.", take: (files) => this.take(files), accept: ACCEPTED, folder: true, id: "upload" }),
      this.files.length ? this.form(name, datasets) : null,
      this.sending ? this.progress() : null,
      this.error ? notice("bad", this.error) : null,
      this.report ? this.result() : null,
    );
  }

  take(files) {
    const found = usable(files);
    Object.assign(this, { files: found, report: null, error: found.length || !files.length ? null : "None of these is a picture or an archive." });
    this.view.visit.redraw();
  }

  form(name, datasets) {
    const folders = foldersOf(this.files);
    const labels = this.view.app.labels;
    return h(
      "form",
      { class: "stack", onsubmit: (event) => { event.preventDefault(); this.send(this.dataset ?? name); } },
      h("p", {}, h("b", {}, `${many(this.files.length, "file")}, ${bytes(sizeOf(this.files))}`), folders.size ? `, in ${many(folders.size, "class folder")}` : ""),
      h("div", { class: "fields" }, field("Dataset", h("input", { type: "text", value: name, required: true, maxlength: 63, list: "datasets", oninput: (event) => (this.dataset = event.target.value.trim()) })), needLabel(this.files) ? field("Their class", h("input", { type: "text", value: this.label, required: true, maxlength: 120, list: "classes", oninput: (event) => (this.label = event.target.value.trim()) }), folders.size ? "Of those in no folder" : null) : null),
      h("datalist", { id: "datasets" }, datasets.map((one) => h("option", { value: one.name }))),
      h("datalist", { id: "classes" }, labels.map((label) => h("option", { value: label }))),
      h("div", { class: "row" }, h("button", { type: "submit", class: "button primary", disabled: Boolean(this.sending) }, "Upload"), button("Forget them", () => this.take([]), { tone: "quiet", disabled: Boolean(this.sending) })),
    );
  }

  progress() {
    const { done, total, sent, all } = this.sending;
    return h("div", { class: "stack" }, progress(total ? done / total : null, "Upload"), h("div", { class: "row row-apart" }, h("p", { class: "soft", role: "status" }, `${bytes(done)} of ${bytes(total)} sent, ${count(sent)} of ${many(all, "file")} taken in`), button("Stop", () => this.sending.life.abort(), { tone: "small" })));
  }

  async send(name) {
    if (!NAME.test(name)) {
      this.error = `A dataset's name has letters, digits, - and _, at most 63, and begins with a letter or digit; this is "${name}".`;
      this.view.visit.redraw();
      return;
    }
    this.dataset = name;
    const life = new AbortController();
    this.view.visit.signal.addEventListener("abort", () => life.abort(), { once: true });
    this.sending = { done: 0, sent: 0, all: this.files.length, total: sizeOf(this.files), life };
    Object.assign(this, { error: null, report: { added: 0, duplicates: 0, conflicts: 0, refused: 0, files: [], imports: 0 } });
    try {
      await this.sendParts(name, life.signal);
    } catch (error) {
      this.error = error.name === "AbortError" ? "Stopped. What was sent is kept; Upload goes on with the rest." : `${error.message} What was sent is kept; Upload goes on with the rest.`;
    }
    this.sending = null;
    this.view.state.dataset = name;
    this.view.changed();
    this.view.visit.redraw();
  }

  /** One part after another; what is sent leaves the list, so that a second try goes on. */
  async sendParts(name, signal) {
    while (this.files.length) {
      const part = nextPart(this.files);
      const before = this.sending.done;
      const size = sizeOf(part);
      const answer = await this.patiently(() => this.sendOne(name, part, signal, (share) => { this.sending.done = before + size * share; this.view.visit.redraw(); }), signal);
      this.files = this.files.slice(part.length);
      Object.assign(this.sending, { done: before + size, sent: this.sending.sent + part.length });
      this.note(answer);
    }
  }

  sendOne(name, part, signal, onShare) {
    const [body, headers] = asBody(part, this.label);
    return upload(`/v1/datasets/${name}/examples`, body, { signal, headers, onProgress: (loaded, total) => onShare(total ? loaded / total : 0) });
  }

  /** A gateway that is away for a moment costs no upload. */
  async patiently(deed, signal) {
    for (let left = TRIES; ; left--) {
      try {
        return await deed();
      } catch (error) {
        if (!(error instanceof ApiError) || !error.isPassing || left <= 1) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** (TRIES - left)));
        signal.throwIfAborted();
      }
    }
  }

  note(answer) {
    if (answer.progress) {
      this.report.imports += 1;
      this.imports.reload();
      return;
    }
    for (const [name] of OUTCOMES) this.report[name] += answer[name];
    if (answer.stopped) this.error = answer.stopped;
    this.report.files.push(...answer.files);
    this.view.visit.redraw();
  }

  result() {
    const { report } = this;
    const told = OUTCOMES.filter(([name]) => report[name]).map(([name, word]) => `${count(report[name])} ${word}`);
    const notable = [...report.files.filter(({ outcome }) => outcome !== "added"), ...report.files.filter(({ outcome }) => outcome === "added")];
    return h(
      "div",
      { class: "stack", "data-key": "report" },
      notice(report.refused || report.conflicts ? "warning" : "good", told.join(", ") || (report.imports ? "The archive is being taken in; its progress is below." : "Nothing was sent yet."), report.imports && told.length ? " An archive is still being taken in; its progress is below." : ""),
      notable.length ? h("details", { open: Boolean(report.refused || report.conflicts) }, h("summary", { class: "faint" }, `What became of each file${notable.length > MOST_SHOWN ? ` (the first ${MOST_SHOWN} of ${count(notable.length)})` : ""}`), fileTable(notable.slice(0, MOST_SHOWN))) : null,
    );
  }
}

function nextPart(files) {
  if (archiveType(files[0].path)) return files.slice(0, 1);
  let size = 0;
  const end = files.findIndex(({ file, path }, index) => index > 0 && (index >= PART_FILES || (size += file.size) > PART_BYTES || archiveType(path)));
  return end < 0 ? files : files.slice(0, end);
}

export const fileTable = (files) => table("What became of each file", ["File", "Outcome", "Class", "Why"], files.map((file) => [h("span", { class: "wrap" }, file.name), badge(file.outcome, TONES[file.outcome]), file.label ?? "–", file.reason ?? (file.split ? `in ${file.split}` : "")]));
