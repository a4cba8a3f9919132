// Lines of a run's log as they are written (server-sent events); the browser goes on by itself where it was.

const MOST_LINES = 2000;
const QUIET_MS = 150;

export class LogStream {
  constructor(runId, changed, signal) {
    Object.assign(this, { lines: [], ended: null, isBroken: false, timer: null, changed });
    this.source = new EventSource(`v1/training-runs/${encodeURIComponent(runId)}/logs`);
    this.source.onmessage = (event) => this.add(event.data.split("\n"));
    this.source.addEventListener("end", (event) => { this.ended = JSON.parse(event.data); this.close(); this.soon(); });
    this.source.onopen = () => { this.isBroken = false; this.soon(); };
    this.source.onerror = () => { this.isBroken = !this.ended; this.soon(); };
    signal.addEventListener("abort", () => this.close(), { once: true });
  }

  add(lines) {
    this.lines.push(...lines);
    if (this.lines.length > MOST_LINES) this.lines.splice(0, this.lines.length - MOST_LINES);
    this.soon();
  }

  /** Many lines at once are one change. */
  soon() {
    this.timer ??= setTimeout(() => { this.timer = null; this.changed(); }, QUIET_MS);
  }

  close() {
    this.source.close();
  }
}
