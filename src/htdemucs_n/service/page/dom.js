// Elements of the page.

import { say } from "./words.js";

/** An element with properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A button with a word on it, or a sign whose meaning is a word. */
export function button(key, onclick, { sign, name = say(key) } = {}) {
  const made = element("button", { type: "button", textContent: sign ?? say(key), title: name, onclick });
  made.ariaLabel = name;
  return made;
}

/** A slider that a double click sets back; `onValue` gets its number at every change. */
export function slider(name, { min, max, step, value }, onValue) {
  const made = element("input", { type: "range", min, max, step, value, title: name });
  made.ariaLabel = name;
  made.oninput = () => onValue(Number(made.value));
  made.ondblclick = () => { made.value = value; made.oninput(); };
  return made;
}

/** A canvas as large as it is shown, on the screen's own pixels, cleared. Null while it is not shown. */
export function paintOn(canvas) {
  const scale = devicePixelRatio;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (!width || !height) return null;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const paint = canvas.getContext("2d");
  paint.clearRect(0, 0, width, height);
  paint.fillStyle = getComputedStyle(canvas).color;
  return { paint, width, height, scale };
}
