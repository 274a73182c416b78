// Checks what is handed in before it travels, sends it with its progress, and takes a file that is dropped. Without this
// script the browser sends the same form, and the page that comes back says what is wrong. All words stand in the form.
import { keepDraft } from "./draft.js";
import { sending } from "./sending.js";

const form = document.querySelector("[data-hand-in]");
if (form) prepare(form);

function prepare(form) {
  const { file, code } = form.elements;
  const zone = form.querySelector("[data-drop]");
  const says = form.dataset;
  const button = form.querySelector("button.primary");
  const again = form.querySelector("[data-again]");
  const signedOut = form.querySelector("[data-signed-out]");
  const draft = keepDraft(form);
  // The form's key makes what is sent again the same attempt.
  const { send, wait } = sending(form, answered, refuse);
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
    // Line ends travel as CR LF.
    const pasted = new Blob([code.value.replaceAll("\n", "\r\n")]);
    if (pasted.size > Number(says.pasteBytes)) return [says.pasteTooLarge, code];
    return [wrongFile(), file];
  }

  // At the field that it concerns; screen readers read it with the field, which gets the focus.
  function say(text, field) {
    for (const error of form.querySelectorAll("[data-error], [data-again]")) error.hidden = true;
    for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
    if (!text) return;
    const error = form.querySelector(`[data-error="${field?.name ?? "form"}"]`);
    error.textContent = text;
    error.hidden = false;
    again.hidden = field?.name !== "again";
    error.scrollIntoView({ block: "center" });
    if (!field) return error.focus();
    if (again.hidden) field.setAttribute("aria-invalid", "true");
    // The message stands above it, and would leave a small screen.
    field.focus({ preventScroll: true });
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

  form.addEventListener("submit", (happened) => {
    happened.preventDefault();
    const [text, field] = wrong();
    if (text) return say(text, field);
    if (button.disabled) return;
    say("");
    send("application/json", happened.submitter);
  });

  function answered(request) {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // A proxy's own page.
    }
    if (answer.address) {
      if (!answer.keeps_draft) draft.forget();
      location.assign(answer.address);
    } else if (answer.type && request.status === 401) {
      refuse("");
      signedOut.hidden = false;
      signedOut.querySelector("a").focus();
    } else if (answer.type) {
      const slug = answer.type.split(":").pop();
      const place = form.querySelector(`[data-slugs~="${slug}"]`);
      refuse(`${answer.title}. ${answer.detail}`, place && form.elements[place.dataset.error]);
    }
    return Boolean(answer.address || answer.type);
  }

  function refuse(text, field) {
    wait(false);
    say(text, field);
  }
}
