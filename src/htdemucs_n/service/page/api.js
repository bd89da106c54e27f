// The requests of the page to the service.
//
// The page without a server (`web/`) has a module of its own in place of this one, and all other scripts are the same.
// So no other script asks the service for anything, and the page hides what its module does not export.

import { inLanguage } from "./said.js";
import { say } from "./words.js";

const ROOT = "/api/v1";

/** The answer of the service, or an error that says that there is none. */
async function request(place, options) {
  try {
    return await fetch(ROOT + place, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(say("lost"));
  }
}

/** The answer of the service as JSON, or an error with its one line. */
async function ask(method, place, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const answer = await request(place, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.status === 204 ? null : answer.json();
}

async function reason(answer) {
  try {
    return inLanguage((await answer.json()).detail);
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

/** What the service is: the size of its library and more. Null where it wants the token first. */
export async function describe() {
  const answer = await request("/library");
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.json();
}

/** Give the token, which the service then keeps as a cookie. Whether it is the right one. */
export async function logIn(token) {
  const answer = await request("/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  return answer.ok;
}

/** All jobs. */
export const list = () => ask("GET", "/jobs");

export const cancel = (id) => ask("POST", `/jobs/${id}/cancel`);
export const remove = (id) => ask("DELETE", `/jobs/${id}`);
export const rename = (id, name) => ask("PATCH", `/jobs/${id}`, { name });

const filePlace = (id, name, version) => `/jobs/${id}/files/${name}${query(version)}`;

/** Where a lane, or all results of a job, are saved from: properties of a link. */
export const fileLink = (id, name, version) => ({ href: ROOT + filePlace(id, name, version) });
export const zipLink = (id) => ({ href: `${ROOT}/jobs/${id}/zip` });

/** An answer whose status says that all is well, or an error with the one line of the service. */
async function fetched(place, signal) {
  const answer = await request(place, { signal });
  if (!answer.ok) throw new Error(await reason(answer));
  return answer;
}

/** A version of the lanes, `{tempo, pitch}`, as an address has it; nothing for the song as it is. */
const query = (version) => (version ? `?${new URLSearchParams(version)}` : "");

/** The names of the lanes of a job, with their sample rate and length in samples. */
export const lanes = async (id, signal, version) => (await fetched(`/jobs/${id}/lanes${query(version)}`, signal)).json();

/** The bytes of a lane, which may be `original`, the song itself. */
export const file = async (id, name, signal, version) => (await fetched(filePlace(id, name, version), signal)).arrayBuffer();

/** The outline of a lane: pairs of the lowest and highest sample, full scale 127. */
export async function peaks(id, name, signal, version) {
  return new Int8Array(await (await fetched(`/jobs/${id}/peaks/${name}${query(version)}`, signal)).arrayBuffer());
}

/** The notes of a job, `{parts: {stem: notes}}`, which are found when they are asked for first. */
export const notes = (id) => ask("GET", `/jobs/${id}/notes`);

/** Where the MIDI file of the notes is saved from: properties of a link. */
export const midiLink = (id) => ({ href: `${ROOT}/jobs/${id}/midi` });

/** The tempo, beats and key of a job. */
export const facts = async (id, signal) => (await fetched(`/jobs/${id}/facts`, signal)).json();

/** Whether lanes can be had in another tempo and pitch. */
export const hasVersions = true;

/** The formats in which files can be made. */
export const FORMATS = ["wav", "flac", "mp3", "ogg", "opus", "m4a", "stem.mp4"];

/** Make a file of the lanes: the properties of its link, the gain that kept it in full scale, and its sample rate. */
export async function makeFile(id, wanted) {
  const made = await ask("POST", `/jobs/${id}/exports`, wanted);
  return { link: { href: `${ROOT}/jobs/${id}/exports/${made.id}` }, gain: made.gain, sampleRate: made.sample_rate };
}

/** Submit a file; `onProgress` gets the part that was sent, `options` are fields of the form. Resolves to its job. */
export function submit(file, onProgress, options = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not say how much was sent
    request.open("POST", `${ROOT}/jobs`);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Error(inLanguage(request.response?.detail ?? `${request.status}`)));
    };
    request.onerror = () => reject(new Error(""));
    const form = new FormData();
    for (const [name, value] of Object.entries(options)) form.append(name, value);
    form.append("file", file);
    request.send(form);
  });
}

/** Follow all jobs, until the service refuses that, or what is before it says that there is none: then `onEnd`. */
export function follow({ onJob, onDeleted, onConnection, onEnd }) {
  const events = new EventSource(`${ROOT}/events`); // connects again by itself, but not after an error as answer
  events.onopen = () => onConnection(true);
  events.onerror = () => (events.readyState === EventSource.CLOSED ? onEnd() : onConnection(false));
  events.addEventListener("job", (event) => onJob(JSON.parse(event.data)));
  events.addEventListener("deleted", (event) => onDeleted(event.data));
}
