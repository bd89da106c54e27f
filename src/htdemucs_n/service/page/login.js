// The dialog that asks for the token of a service, once for a session of the browser.

import * as api from "./api.js";
import { element } from "./dom.js";
import { say } from "./words.js";

/** Ask until the token is right. */
export function askForToken() {
  const token = element("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const note = element("p", { className: "small wrong", role: "alert" });
  const enter = element("button", { type: "submit", className: "main", textContent: say("enter") });
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { textContent: say("tokenTitle") }),
    element("label", {}, element("span", { textContent: say("token") }), token),
    note,
    element("div", { className: "actions" }, enter),
  );
  const dialog = element("dialog", { ariaLabel: say("tokenTitle") }, form);
  dialog.oncancel = (event) => event.preventDefault(); // there is nothing behind it
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const right = await api.logIn(token.value.trim()).catch(() => null);
      note.textContent = right ? "" : say(right === null ? "lost" : "wrongToken");
      if (!right) return token.select();
      dialog.remove();
      return resolve();
    };
  });
}
