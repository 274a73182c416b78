// Shows the marked part of the page again while something goes on, without reloading the page.
const MARK = "[data-refresh]";

async function show() {
  const old = document.querySelector(MARK);
  if (!old) return;
  // Nobody looks, or somebody is about to press something in it.
  if (!document.hidden && !old.querySelector("details[open]") && !old.contains(document.activeElement)) {
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector(MARK);
      // It is over: the page may offer something else now.
      if (!fresh) return location.reload();
      if (fresh.innerHTML !== old.innerHTML) old.replaceChildren(...fresh.childNodes);
    }
  }
  setTimeout(show, 1000 * old.dataset.refresh);
}

const marked = document.querySelector(MARK);
if (marked) setTimeout(show, 1000 * marked.dataset.refresh);
