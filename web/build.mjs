// Put the page together in `dist`: the scripts of this folder and of the studio, ONNX Runtime, and the models.
// Another folder can be named: node build.mjs FOLDER

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGE = join(HERE, "../src/htdemucs_n");
const STUDIO = join(PACKAGE, "service/page");
const WEIGHTS = join(PACKAGE, "models/weights");
const RUNTIME = join(HERE, "node_modules/onnxruntime-web/dist");
const OUT = process.argv[2] ?? join(HERE, "dist");

const RUNTIMES = ["ort.wasm.min.mjs", "ort.webgpu.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm",
  "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"];
const FOR_LATER = /small|webgpu|asyncify/; // not loaded before a user chooses what needs it

if (!existsSync(RUNTIME)) {
  console.error("onnxruntime-web is missing: run `npm ci` first");
  process.exit(1);
}
if (!process.argv[2]) rmSync(OUT, { recursive: true, force: true }); // a folder of others may hold more
const copy = (from, names, to = "") => {
  mkdirSync(join(OUT, to), { recursive: true });
  for (const name of names) cpSync(join(from, name), join(OUT, to, name));
};
const [studio, own] = [STUDIO, join(HERE, "page")].map((folder) => readdirSync(folder));
const both = own.filter((name) => name !== "api.js" && studio.includes(name)); // that one takes the studio's place
if (both.length) throw new Error(`the studio has a file of the name ${both.join(", ")} too: rename the one in web/page`);
copy(STUDIO, studio);
copy(join(HERE, "page"), own);
copy(join(HERE, "separation"), readdirSync(join(HERE, "separation")), "separation");
copy(HERE, ["worker.js", "headers.json"]);
copy(RUNTIME, RUNTIMES, "ort");
copy(WEIGHTS, readdirSync(WEIGHTS).filter((name) => /\.(onnx|safetensors|md)$/.test(name)), "models"); // with their card
copy(join(HERE, ".."), ["LICENSE", "LICENSE-WEIGHTS.md"]);

const headers = JSON.parse(readFileSync(join(OUT, "headers.json")));
const index = join(OUT, "index.html");
const policy = `<meta http-equiv="Content-Security-Policy" content="${headers["Content-Security-Policy"]}">`;
writeFileSync(index, readFileSync(index, "utf8")
  .replace("/page/main.js", "start.js") // which begins with what this page has besides
  .replaceAll('"/page/', '"')
  .replace("<head>", `<head>\n  ${policy}`)
  .replace("</head>", '  <link rel="stylesheet" href="web.css">\n</head>'));

// The service worker begins with what it has to know; another version of any file makes it another one.
const files = readdirSync(OUT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(OUT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
  .sort();
const hash = createHash("sha256");
for (const file of files) hash.update(file).update(readFileSync(join(OUT, file)));
const known = { VERSION: hash.digest("hex").slice(0, 16), FILES: files.filter((file) => !FOR_LATER.test(file)), HEADERS: headers };
const lines = Object.entries(known).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
writeFileSync(join(OUT, "service_worker.js"), lines.join("") + readFileSync(join(HERE, "service_worker.js"), "utf8"));
console.log(`${files.length + 1} files in ${OUT}: serve them with \`htdemucs-n web\`, or any static server`);
