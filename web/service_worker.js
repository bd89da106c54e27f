// Between the page and its host: gives every answer the headers that isolate the page, which threads need and a plain
// host does not send, and keeps all files, so that the page works without a network.
//
// `VERSION`, `FILES` and `HEADERS` are put before these lines by the build.

const CACHE = `htdemucs-n ${VERSION}`;

self.oninstall = () => self.skipWaiting();

self.onactivate = (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("htdemucs-n ") && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
};

self.onfetch = (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(self.registration.scope)) event.respondWith(answer(request));
};

/** The page asks to keep all that it needs, and is told when that is done. */
self.onmessage = (event) => {
  const keep = async () => {
    for (const file of ["./", ...FILES]) await answer(new Request(new URL(file, self.registration.scope)));
    event.source.postMessage({ kept: true });
  };
  event.waitUntil(keep().catch(() => {})); // without a network it is tried again at the next visit
};

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request.url, { cache: "no-cache" }); // asks whether what the browser has is still right
  if (!response.ok || response.redirected) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const isolated = new Response(response.body, { status: response.status, headers });
  await cache.put(request, isolated.clone());
  return isolated;
}
