// The choice of the model, and whether the graphics card runs it.

import { element } from "./dom.js";
import { say } from "./words.js";

const MODELS = ["bands", "duo"];
let model = MODELS.includes(localStorage.model) ? localStorage.model : MODELS[0];
let provider = "wasm";

/** What is chosen. */
export const chosenModel = () => ({ model, provider });

/** Put the choice into an element. */
export function showModels(root) {
  const fieldset = element("fieldset", { id: "models" }, element("legend", { textContent: say("model") }));
  root.append(fieldset);
  for (const name of MODELS) {
    const choice = option("radio", name, name === model);
    choice.input.onchange = () => { model = localStorage.model = name; };
    fieldset.append(choice.label);
  }
  navigator.gpu?.requestAdapter().then((adapter) => {
    if (!adapter || adapter.info?.isFallbackAdapter) return; // the processor is faster than a card that it imitates
    const choice = option("checkbox", "webgpu", false);
    choice.input.onchange = () => { provider = choice.input.checked ? "webgpu" : "wasm"; };
    fieldset.append(choice.label);
  }).catch(() => {}); // there is no graphics card, then
}

function option(type, name, checked) {
  const input = element("input", { type, name: type === "radio" ? "model" : name, value: name, checked });
  const label = element("label", {}, input, element("span", { className: "name", textContent: say(name) }),
    element("span", { className: "small", textContent: say(`${name}More`) }));
  return { input, label };
}
