// The public API, as curl would ask it. What goes wrong becomes an ApiError that says what to do;
// whoever shows the connection, or asks for a token, listens to `connection`.

import { sentence, setClockOffset } from "./format.js";

const TIMEOUT_MS = 30_000;

/** "lost", "back", "unauthenticated" */
export const connection = new EventTarget();

export class ApiError extends Error {
  constructor(code, message, { status = 0, problem = null, retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { code, status, problem, retryAfter });
  }

  /** Worth trying again by itself: nothing reached, an answer that broke off, or 5xx/429. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** A path with its query; what is null, undefined or "" is left out. */
export function address(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") asked.set(name, value);
  }
  const text = asked.toString();
  return path.replace(/^\//, "") + (text ? `?${text}` : "");
}

/** Parsed JSON, or null for 204. Raises ApiError; an abort stays an AbortError. */
async function request(method, path, { query, json, body, headers = {}, signal, timeout = TIMEOUT_MS } = {}) {
  const limit = AbortSignal.timeout(timeout);
  const options = {
    method,
    headers: { Accept: "application/json", ...headers, ...(json === undefined ? {} : { "Content-Type": "application/json" }) },
    body: json === undefined ? body : JSON.stringify(json),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    credentials: "same-origin",
  };
  let response;
  let text;
  try {
    response = await fetch(address(path, query), options);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw lost(limit.aborted ? `The gateway has not answered within ${timeout / 1000} s.` : response
      ? "The gateway's answer broke off."
      : "The gateway cannot be reached.");
  }
  return understood(response.status, (name) => response.headers.get(name), text);
}

function lost(message) {
  connection.dispatchEvent(new Event("lost"));
  return new ApiError("unreachable", message);
}

/** The meaning of an answer; also used for uploads, which fetch cannot tell the progress of. */
export function understood(status, header, text) {
  noteClock(header("date"));
  const isJson = (header("content-type") ?? "").includes("json");
  let content = null;
  if (isJson && text) {
    try {
      content = JSON.parse(text);
    } catch {
      throw new ApiError("broken_answer", "Only half of the gateway's answer came.", { status: 0 });
    }
  }
  if (status < 502) connection.dispatchEvent(new Event("back"));
  if (status >= 200 && status < 300) return isJson ? content : text || null;
  throw refused(status, header, content);
}

function refused(status, header, problem) {
  if (status === 401) connection.dispatchEvent(new Event("unauthenticated"));
  const detail = problem?.detail ?? `The gateway answered with status ${status}.`;
  const retryAfter = Number(header("retry-after")) || null;
  return new ApiError(problem?.code ?? `http_${status}`, sentence(detail), { status, problem, retryAfter });
}

function noteClock(date) {
  const theirs = Date.parse(date ?? "");
  if (!Number.isNaN(theirs)) {
    const difference = theirs - Date.now();
    setClockOffset(Math.abs(difference) > 5000 ? difference : 0);
  }
}

const offered = document.querySelector("meta[name=offers]")?.content.split(" ") ?? [];
/** Has this gateway a route that not every one has? By its template, as in /openapi.json. */
export const offers = (route) => offered.includes(route);

const verb = (method) => (path, options) => request(method, path, options);
export const api = { get: verb("GET"), post: verb("POST"), put: verb("PUT"), delete: verb("DELETE") };

/** POST a body and tell how many bytes are gone. */
export function upload(path, body, { headers = {}, signal, onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", address(path));
    for (const [name, value] of Object.entries({ Accept: "application/json", ...headers })) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => onProgress?.(event.loaded, event.total);
    call.onerror = () => reject(lost("The gateway cannot be reached, or broke off the upload."));
    call.onabort = () => reject(new DOMException("The upload was stopped.", "AbortError"));
    call.onload = () => {
      try {
        resolve(understood(call.status, (name) => call.getResponseHeader(name), call.responseText));
      } catch (error) {
        reject(error);
      }
    };
    signal?.addEventListener("abort", () => call.abort(), { once: true });
    call.send(body);
  });
}
