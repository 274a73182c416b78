// Shows how far a submission is, as it happens, and turns the page into the report at the end. What is shown stands in the
// page, in the reader's language. Where no script runs, the page loads itself again instead.
let shown, steps, since, left;
// When the report is expected, in seconds since 1970; NaN: nobody knows.
let due;
// After so many failures in a row, or when nothing comes for so long, the page is fetched to see where it is now.
const FAILURES = 3;
const SILENCE = 20_000;
const PAUSE = 5_000;
const END = "done";
let source, failures, timer;

function find() {
  shown = document.querySelector("[data-events]");
  steps = [...document.querySelectorAll("[data-event]")];
  since = document.querySelector("[data-since]");
  left = document.querySelector("[data-left]");
  expect(left?.dataset.left);
}

function expect(seconds) {
  due = seconds == null || seconds === "" ? NaN : Date.now() / 1000 + Number(seconds);
  if (left && seconds === null) left.textContent = left.dataset.nobody;
}

function start() {
  stop();
  failures = 0;
  source = new EventSource(shown.dataset.events);
  timer = setTimeout(lookLater, SILENCE);
  for (const step of steps) {
    source.addEventListener(step.dataset.event, (event) => {
      clearTimeout(timer);
      failures = 0;
      reach(step, JSON.parse(event.data));
    });
  }
  for (const end of [END, "cancelled"]) source.addEventListener(end, look);
  // A browser comes again by itself when the connection breaks, but not after an answer that is no stream, such as that
  // of a proxy whose service starts anew.
  source.addEventListener("error", () => {
    failures += 1;
    if (source.readyState === EventSource.CLOSED || failures >= FAILURES) lookLater();
  });
}

function reach(step, { position, seconds }) {
  if (step.dataset.event === "position") expect(seconds);
  else if (left && !("running" in left.dataset)) {
    left.dataset.running = "";
    expect(left.dataset.usual);
  }
  const text = step.dataset.text.replace("{position}", position);
  if (shown.textContent !== text) shown.textContent = text;
  let before = true;
  for (const each of step.parentElement.children) {
    if (each === step) before = false;
    each.classList.toggle("is-done", before);
    if (each === step) each.setAttribute("aria-current", "step");
    else each.removeAttribute("aria-current");
  }
  step.hidden = false;
  // What is being graded can no longer be taken back.
  if (step.dataset.event !== "position") document.querySelector("[data-cancel]")?.remove();
}

// Fetches the page as it is now. Once it waits no more, its contents take the place of this one's: loading the
// page again would leave a screen reader at its beginning.
async function look() {
  stop();
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  if (!shown) return; // it was shown meanwhile
  // Nobody answers now, or not to so many.
  if (text == null || answer.status === 429 || answer.status >= 500) return lookLater();
  // Signed out, or gone: the page that says so.
  if (!answer.ok) return location.reload();
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.querySelector("[data-events]")) timer = setTimeout(start, PAUSE);
  else show(page);
}

async function show(page) {
  const main = page.querySelector("main");
  for (const style of page.querySelectorAll("head link[rel=stylesheet]")) {
    if (!document.head.querySelector(`link[href="${style.getAttribute("href")}"]`)) document.head.append(style);
  }
  document.title = page.title;
  document.querySelector("main").replaceWith(main);
  shown = null;
  const heading = main.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
  for (const script of page.querySelectorAll("head script[src]")) {
    // A script that this page has, too, runs no second time.
    const { showOwnZone } = await import(script.getAttribute("src"));
    showOwnZone?.(main);
  }
}

function stop() {
  source?.close();
  clearTimeout(timer);
}

function lookLater() {
  stop();
  if (!document.hidden) timer = setTimeout(look, PAUSE);
}

function tick() {
  if (!shown || !since) return;
  const now = Date.now() / 1000;
  since.textContent = since.dataset.elapsed.replace("{time}", clock(Math.max(0, Math.round(now - Number(since.dataset.since)))));
  if (!left || Number.isNaN(due)) return;
  const seconds = Math.ceil(due - now);
  const late = seconds > -Number(left.dataset.late) ? left.dataset.soon : left.dataset.longer;
  left.textContent = seconds > 0 ? left.dataset.about.replace("{time}", clock(seconds)) : late;
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

find();
setInterval(tick, 1000);
tick();
// Browsers open few connections to one service; tabs that nobody looks at need none.
document.addEventListener("visibilitychange", () => shown && (document.hidden ? stop() : start()));
if (!document.hidden) start();
