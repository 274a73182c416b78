// Sends a form with a large file, and shows how much of it has arrived. Without scripts the browser sends it.
import { sending } from "./sending.js";

const form = document.querySelector("[data-progress]")?.closest("form");
if (form) prepare(form);

function prepare(form) {
  const button = form.querySelector("button.primary");
  const error = form.querySelector("[data-error]");
  const { send, wait } = sending(form, answered, refuse);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button.disabled) return;
    error.hidden = true;
    send("text/html");
  });

  function answered(request) {
    if (request.status < 300) {
      location.assign(request.responseURL);
      return true;
    }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const content = page.querySelector("#content");
    // A proxy's own page has none.
    if (!content) return false;
    document.querySelector("#content").replaceWith(content);
    (content.querySelector("[autofocus]") ?? content).focus();
    return true;
  }

  function refuse(text) {
    wait(false);
    error.textContent = text;
    error.hidden = false;
    error.scrollIntoView({ block: "center" });
    error.focus();
  }
}
