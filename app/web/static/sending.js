// Sends a form and shows how much of it has arrived, which browsers do not. All words stand in the form.
//
// `answered` gets the request and returns whether the answer is the service's own; `refuse` gets the words otherwise.
// What was sent may have arrived all the same, so only the reader sends it again.
export function sending(form, answered, refuse) {
  const shown = form.querySelector("[data-progress]");
  const [bar, status] = [shown.querySelector("progress"), shown.querySelector("[role=status]")];
  const button = form.querySelector("button.primary");
  const says = shown.dataset;

  function wait(waits) {
    button.disabled = waits;
    shown.hidden = !waits;
    status.textContent = waits ? says.sending : "";
  }

  function send(accept, submitter) {
    const request = new XMLHttpRequest();
    bar.value = 0;
    wait(true);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) bar.value = (bar.max * event.loaded) / event.total;
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value");
      status.textContent = says.sent;
    });
    request.addEventListener("load", () => {
      if (!answered(request)) refuse(says.between.replace("{status}", request.status));
    });
    for (const event of ["error", "abort", "timeout"]) request.addEventListener(event, () => refuse(says.lost));
    request.open("POST", submitter?.getAttribute("formaction") ?? form.action);
    request.setRequestHeader("Accept", accept);
    const sent = new FormData(form);
    if (submitter?.name) sent.append(submitter.name, submitter.value);
    request.send(sent);
  }

  // Back from the next page, the form is as it was left.
  window.addEventListener("pageshow", () => wait(false));
  return { send, wait };
}
