// Numbers with units, and times in the reader's zone, by the gateway's clock.

const locale = undefined; // the browser's
const whole = new Intl.NumberFormat(locale);
const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "long" });
const brief = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "narrow" });
const MISSING = "–";
const GAP = "\u202f"; // a number and its unit stay on one line

const decimals = (digits) => new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const fixed = [0, 1, 2, 3, 4].map(decimals);
const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);

/** 12,345 */
export const count = (value) => (isMissing(value) ? MISSING : whole.format(value));
/** 12.3K from ten thousand on. */
export const short = (value) => (isMissing(value) ? MISSING : value < 10_000 ? whole.format(value) : compact.format(value));
/** A number with so many digits behind the point. */
export const number = (value, digits = 2) => (isMissing(value) ? MISSING : fixed[digits].format(value));
/** 0.934 → 93.4 % */
export const percent = (share, digits = 1) => (isMissing(share) ? MISSING : `${fixed[digits].format(share * 100)}${GAP}%`);
/** Percentage points, signed. */
export const points = (difference, digits = 1) =>
  isMissing(difference) ? MISSING : `${difference >= 0 ? "+" : "−"}${fixed[digits].format(Math.abs(difference) * 100)}${GAP}pp`;
/** Availability needs the digits that tell 99.9 from 99.95. */
export const availability = (share) => (isMissing(share) ? MISSING : share === 1 ? `100${GAP}%` : `${fixed[share > 0.999 ? 3 : 2].format(Math.floor(share * 1e5) / 1e3)}${GAP}%`);
/** 4.2 ms, 1.25 s */
export function milliseconds(value) {
  if (isMissing(value)) return MISSING;
  if (value === 0) return `0${GAP}ms`;
  if (value >= 1000) return `${fixed[2].format(value / 1000)}${GAP}s`;
  return `${fixed[value < 10 ? 2 : value < 100 ? 1 : 0].format(value)}${GAP}ms`;
}
/** 0.42 /s */
export const perSecond = (value) => (isMissing(value) ? MISSING : `${fixed[value < 10 ? 2 : value < 100 ? 1 : 0].format(value)}${GAP}/s`);

const SIZES = ["B", "kB", "MB", "GB", "TB"];
/** 12.3 MB */
export function bytes(value) {
  if (isMissing(value)) return MISSING;
  let unit = 0;
  for (; value >= 1000 && unit < SIZES.length - 1; unit++) value /= 1000;
  return `${fixed[unit && value < 100 ? 1 : 0].format(value)}${GAP}${SIZES[unit]}`;
}

/** 3 d 4 h, 2 h 5 min, 45 s */
export function duration(seconds) {
  if (isMissing(seconds)) return MISSING;
  if (seconds < 10) return `${fixed[1].format(seconds)}${GAP}s`;
  seconds = Math.round(seconds);
  const parts = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const from = parts.findIndex(([, size]) => seconds >= size);
  return parts
    .slice(from, from + 2)
    .map(([unit, size], index) => [Math.floor((index ? seconds % parts[from][1] : seconds) / size), unit])
    .filter(([amount], index) => amount || !index)
    .map(([amount, unit]) => `${amount}${GAP}${unit}`)
    .join(" ");
}

let offset = 0;
/** The gateway's clock minus ours, in milliseconds; core/api.js measures it. */
export const setClockOffset = (value) => (offset = value);
export const clockOffset = () => offset;
/** Now, by the gateway's clock. */
export const now = () => Date.now() + offset;

/** 14:05 today, Mar 3, 14:05 on other days. */
export function time(value) {
  if (!value) return MISSING;
  const date = new Date(value);
  const isToday = date.toDateString() === new Date(now()).toDateString();
  return isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}
/** 14:05, whatever the day. */
export const minutes = (value) => (value ? clock.format(new Date(value)) : MISSING);
/** 14:05:09 */
export const seconds = (value) => (value ? exact.format(new Date(value)) : MISSING);
/** Mar 3 */
export const date = (value) => (value ? day.format(new Date(value)) : MISSING);
/** With year, seconds and zone, for titles. */
export const moment = (value) => (value ? `${full.format(new Date(value))} (${zone()})` : "");
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

const STEPS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
/** 5 minutes ago; "5m ago" where room is short. */
export function ago(value, { isBrief = false } = {}) {
  if (!value) return MISSING;
  const seconds = (new Date(value).getTime() - now()) / 1000;
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? STEPS.at(-1);
  return (isBrief ? brief : relative).format(Math.round(seconds / size), unit);
}

/** Begins with a capital and ends with a stop. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
/** "1 picture", "2 pictures" */
export const many = (amount, one, more = `${one}s`) => `${count(amount)} ${amount === 1 ? one : more}`;
/** "a, b and c" */
export const list = (words) => new Intl.ListFormat("en", { type: "conjunction" }).format(words);
