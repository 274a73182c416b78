// Checks what is handed in before it travels, sends it with its progress, and takes a file that is dropped. Without this
// script the browser sends the same form, and the page that comes back says what is wrong. All words stand in the form.
import { keepDraft } from "./draft.js";

const form = document.querySelector("[data-hand-in]");
if (form) prepare(form);

function prepare(form) {
  const { file, code } = form.elements;
  const zone = form.querySelector("[data-drop]");
  const says = form.dataset;
  const button = form.querySelector("button.primary");
  const progress = form.querySelector("[data-progress]");
  const status = form.querySelector("[data-status]");
  const signedOut = form.querySelector("[data-signed-out]");
  const draft = keepDraft(form);
  zone.querySelector("[data-drop-help]").hidden = false;

  function wrongFile() {
    const chosen = file.files[0];
    if (!chosen) return "";
    const name = chosen.name.toLowerCase();
    if (!says.accepted.split(" ").some((suffix) => name.endsWith(suffix))) return says.wrongType;
    if (chosen.size > Number(says.fileBytes)) return says.tooLarge;
    return chosen.size ? "" : says.empty;
  }

  function wrong() {
    const hasCode = code.value.trim() !== "";
    if (file.files.length && hasCode) return [says.both, file];
    if (!file.files.length && !hasCode) return [says.nothing, file];
    if (new Blob([code.value]).size > Number(says.pasteBytes)) return [says.pasteTooLarge, code];
    return [wrongFile(), file];
  }

  // At the field that it concerns; screen readers read it with the field, which gets the focus.
  function say(text, field) {
    for (const error of form.querySelectorAll("[data-error]")) error.hidden = true;
    for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
    if (!text) return;
    const name = field === code ? "file" : field?.name ?? "form";
    const error = form.querySelector(`[data-error="${name}"]`);
    error.textContent = text;
    error.hidden = false;
    if (!field) return error.scrollIntoView({ block: "center" });
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }

  file.addEventListener("change", () => {
    const text = wrongFile();
    say(text, text ? file : null);
  });

  for (const event of ["dragenter", "dragover"]) {
    zone.addEventListener(event, (happened) => {
      happened.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const event of ["dragleave", "drop"]) zone.addEventListener(event, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (happened) => {
    happened.preventDefault();
    const files = happened.dataTransfer.files;
    if (files.length > 1) return say(says.oneFile, file);
    if (!files.length) return;
    file.files = files;
    file.dispatchEvent(new Event("change"));
  });
  // A file that is dropped beside the zone would take the place of the page.
  for (const event of ["dragover", "drop"]) window.addEventListener(event, (happened) => happened.preventDefault());

  function wait(waits) {
    button.disabled = waits;
    progress.hidden = !waits;
    status.textContent = waits ? says.sending : "";
  }

  form.addEventListener("submit", (happened) => {
    happened.preventDefault();
    const [text, field] = wrong();
    if (text) return say(text, field);
    if (button.disabled) return;
    say("");
    send();
  });

  function send() {
    const request = new XMLHttpRequest();
    const bar = progress.querySelector("progress");
    bar.value = 0;
    wait(true);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
    });
    request.upload.addEventListener("load", () => {
      bar.value = 100;
      status.textContent = says.sent;
    });
    request.addEventListener("load", () => answered(request));
    // What was sent may have arrived: the form's key makes the next one the same attempt.
    for (const event of ["error", "abort", "timeout"]) request.addEventListener(event, () => refuse(says.lost));
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(new FormData(form));
  }

  function answered(request) {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // A proxy's own page.
    }
    if (answer.address) {
      draft.forget();
      return location.assign(answer.address);
    }
    if (!answer.type) return refuse(says.between.replace("{status}", request.status));
    if (request.status === 401) {
      refuse("");
      signedOut.hidden = false;
      return signedOut.querySelector("a").focus();
    }
    const slug = answer.type.split(":").pop();
    const place = form.querySelector(`[data-slugs~="${slug}"]`);
    const field = place && form.elements[place.dataset.error];
    refuse(`${answer.title}. ${answer.detail}`, field);
  }

  function refuse(text, field) {
    wait(false);
    say(text, field);
    if (!field) button.focus();
  }

  // Back from the next page, the form is as it was left.
  window.addEventListener("pageshow", () => wait(false));
}
