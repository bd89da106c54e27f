// What the browser has to be able to do, and the service worker that isolates the page and keeps it.

import { say } from "./words.js";

/** A module with one instruction of SIMD. */
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

/** Why the page cannot work in this browser, in one line; null where it can. */
export function problem() {
  if (!("WebAssembly" in self && WebAssembly.validate(new Uint8Array(SIMD)))) return say("noSimd");
  if (!("OfflineAudioContext" in self && "AudioContext" in self)) return say("noAudio");
  return null;
}

/**
 * Start the service worker; `onKept` is called when it has stored the page. The page loads again if it is not isolated
 * yet, which threads need, and if the service worker has stored a newer page; but not once it `hasSongs`. Resolves to
 * whether it is isolated.
 */
export async function settle(onKept, hasSongs) {
  const workers = navigator.serviceWorker; // none over plain HTTP, but on this computer
  try {
    const before = workers.controller;
    workers.oncontrollerchange = () => { if (before && !hasSongs()) location.reload(); };
    workers.onmessage = () => onKept();
    await workers.register("service_worker.js");
    const { active } = await workers.ready;
    if (!self.crossOriginIsolated && !sessionStorage.loadedAgain && !hasSongs()) {
      sessionStorage.loadedAgain = "yes";
      location.reload();
      return new Promise(() => {});
    }
    active.postMessage("keep");
  } catch {
    // The browser has no service workers here, or does not allow them: the page works without.
  }
  delete sessionStorage.loadedAgain;
  return self.crossOriginIsolated;
}
