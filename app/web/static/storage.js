// Keeps the secret of a launch in the platform's storage, or gets it from there, where the browser keeps no cookie of ours:
// LTI Client Side postMessages, "lti.put_data" and "lti.get_data".
// Then a way around is offered. A page that loads slowly may answer later, and is still heard.
const SECONDS = 4;
const AGAIN_SECONDS = 0.5;
const page = document.querySelector("[data-storage]");
const { storage, origin, key, value, next } = page.dataset;

function target() {
  const platform = window.parent === window ? window.opener : window.parent;
  if (storage === "_parent") return platform;
  try {
    return platform.frames[storage];
  } catch (error) {
    // Another site's window refuses the name of a frame that is not there yet.
    if (error.name !== "SecurityError") throw error;
  }
}

function ask(subject, fields) {
  const message_id = `${subject} ${key}`;
  return new Promise((resolve, reject) => {
    window.addEventListener("message", (event) => {
      if (event.origin !== origin || event.data?.message_id !== message_id) return;
      if (event.data.subject !== `${subject}.response`) return;
      clearInterval(again);
      if (event.data.error) reject(new Error(`${subject}: ${event.data.error.code}`));
      else resolve(event.data.value);
    });
    // The platform's frame may still be loading, and then hears nothing: say it again.
    const send = () => target()?.postMessage({ subject, message_id, key, ...fields }, origin);
    const again = setInterval(send, 1000 * AGAIN_SECONDS);
    send();
  });
}

function offerWindow(reason) {
  console.warn(reason);
  page.querySelector("[data-wait]").hidden = true;
  page.querySelector("[data-refused]").hidden = false;
}

setTimeout(offerWindow, 1000 * SECONDS, "the platform's storage has not answered yet");
try {
  if (next) {
    await ask("lti.put_data", { value });
    location.replace(next);
  } else {
    const form = page.querySelector("form");
    const found = await ask("lti.get_data", {});
    if (typeof found !== "string") throw new Error("lti.get_data: nothing there");
    form.elements.stored.value = found;
    form.submit();
  }
} catch (error) {
  offerWindow(error);
}
