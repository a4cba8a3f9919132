// Bringing labelled pictures: files with one class, folders of classes, or an archive; in parts, so that
// ten thousand files need no body of two gigabytes, and what was sent stays when a part fails.

import { ApiError, upload } from "../../core/api.js";
import { h } from "../../core/dom.js";
import { bytes, count, many } from "../../core/format.js";
import { dropzone } from "../../parts/dropzone.js";
import { badge, button, field, panel, progress, table } from "../../parts/pieces.js";
import { notice } from "../../parts/states.js";

const PART_FILES = 200;
const PART_BYTES = 64e6;
const MOST_SHOWN = 200;
const TRIES = 4;
const ARCHIVES = { zip: "application/zip", tar: "application/x-tar", gz: "application/gzip", tgz: "application/gzip" };
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
const TONES = { added: "good", duplicate: "idle", conflict: "warning", refused: "bad" };
const OUTCOMES = [["added", "added"], ["duplicates", "already there"], ["conflicts", "there under another class"], ["refused", "refused"]];

const archiveType = (path) => ARCHIVES[path.toLowerCase().split(".").at(-1)] ?? null;
const folderOf = (path) => path.split("/").at(-2) ?? null;

export class UploadForm {
  constructor(view, imports) {
    Object.assign(this, { view, imports, files: [], label: "", dataset: null, sending: null, report: null, error: null });
  }

  panel(datasets) {
    const name = this.dataset ?? this.view.state.dataset ?? this.view.app.model ?? "";
    return panel(
      "Add pictures",
      dropzone({ title: "Drop files, folders or a zip", text: "In folders, a picture's folder is its class.", take: (files) => this.take(files), accept: "image/*,.zip,.tar,.tgz,.gz", folder: true, id: "upload" }),
      this.files.length ? this.form(name, datasets) : null,
      this.sending ? this.progress() : null,
      this.error ? notice("bad", this.error) : null,
      this.report ? this.result() : null,
    );
  }

  take(files) {
    const usable = files.filter(({ file, path }) => archiveType(path) || file.type.startsWith("image/") || !file.type);
    Object.assign(this, { files: usable.filter(({ path }) => !path.split("/").at(-1).startsWith(".")), report: null, error: usable.length ? null : "None of these is a picture or an archive." });
    this.view.visit.redraw();
  }

  get needsLabel() {
    return this.files.some(({ path }) => !archiveType(path) && !folderOf(path));
  }

  form(name, datasets) {
    const total = this.files.reduce((sum, { file }) => sum + file.size, 0);
    const folders = new Set(this.files.map(({ path }) => folderOf(path)).filter(Boolean));
    const labels = this.view.app.labels;
    return h(
      "form",
      { class: "stack", onsubmit: (event) => { event.preventDefault(); this.send(name); } },
      h("p", {}, h("b", {}, `${many(this.files.length, "file")}, ${bytes(total)}`), folders.size ? `, in ${many(folders.size, "class folder")}` : ""),
      h("div", { class: "fields" }, field("Dataset", h("input", { type: "text", value: name, required: true, maxlength: 63, list: "datasets", oninput: (event) => (this.dataset = event.target.value.trim()) })), this.needsLabel ? field("Their class", h("input", { type: "text", value: this.label, required: true, maxlength: 120, list: "classes", oninput: (event) => (this.label = event.target.value.trim()) }), folders.size ? "Of those in no folder" : null) : null),
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
    this.sending = { done: 0, sent: 0, all: this.files.length, total: this.files.reduce((sum, { file }) => sum + file.size, 0), life };
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
      const size = part.reduce((sum, { file }) => sum + file.size, 0);
      const answer = await this.patiently(() => this.sendOne(name, part, signal, (share) => { this.sending.done = before + size * share; this.view.visit.redraw(); }), signal);
      this.files = this.files.slice(part.length);
      Object.assign(this.sending, { done: before + size, sent: this.sending.sent + part.length });
      this.note(answer);
    }
  }

  sendOne(name, part, signal, onShare) {
    const options = { signal, onProgress: (loaded, total) => onShare(total ? loaded / total : 0) };
    const path = `/v1/datasets/${name}/examples`;
    const type = archiveType(part[0].path);
    if (type) return upload(path, part[0].file, { ...options, headers: { "Content-Type": type } });
    const form = new FormData();
    for (const { file, path: shown } of part) {
      form.append("labels", folderOf(shown) ?? this.label);
      form.append("images", file, file.name.slice(-200));
    }
    return upload(path, form, options);
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
