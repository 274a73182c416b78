// Sends a form with a large file, and shows how much of it has arrived. Without scripts the browser sends it.
const shown = document.querySelector("[data-progress]");
const form = shown?.closest("form");

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const [bar, words] = [shown.querySelector("progress"), shown.querySelector("[role=status]")];
  const button = form.querySelector("button");
  const request = new XMLHttpRequest();
  button.disabled = true;
  shown.hidden = false;
  words.textContent = words.dataset.sending;
  request.upload.addEventListener("progress", (sent) => (bar.value = sent.loaded / sent.total));
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value");
    words.textContent = words.dataset.reading;
  });
  request.addEventListener("load", () => {
    if (request.status < 300) return location.assign(request.responseURL);
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.querySelector("main").focus();
  });
  request.addEventListener("error", () => {
    button.disabled = false;
    shown.hidden = true;
    form.submit();
  });
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.send(new FormData(form));
});
