// Shows how far a submission is, as it happens, and goes to the report at the end. What is shown stands in the page, in
// the reader's language. Where no script runs, the page loads itself again instead.
const shown = document.querySelector("[data-events]");
const texts = [...document.querySelectorAll("[data-event]")];
// After so many failures in a row, or when nothing comes for so long, the page is loaded again, as without the script.
const FAILURES = 3;
const SILENCE = 20_000;
const PAUSE = 5_000;
let source, failures, timer;

function start() {
  stop();
  failures = 0;
  source = new EventSource(shown.dataset.events);
  timer = setTimeout(giveUp, SILENCE);
  for (const text of texts) {
    source.addEventListener(text.dataset.event, (event) => {
      clearTimeout(timer);
      failures = 0;
      shown.textContent = text.textContent.replace("{position}", JSON.parse(event.data).position);
    });
  }
  for (const end of ["done", "cancelled"]) source.addEventListener(end, () => location.reload());
  // A browser comes again by itself when the connection breaks, but not after an answer that is no stream, such as that
  // of a proxy whose service starts anew.
  source.addEventListener("error", () => {
    failures += 1;
    if (source.readyState === EventSource.CLOSED || failures >= FAILURES) giveUp();
  });
}

function stop() {
  source?.close();
  clearTimeout(timer);
}

function giveUp() {
  stop();
  timer = setTimeout(reload, PAUSE);
}

// Not before somebody answers: a browser's own page about a lost connection would not come back.
async function reload() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer && answer.status < 500) location.reload();
  else if (!document.hidden) giveUp();
}

// Browsers open few connections to one service; tabs that nobody looks at need none.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
if (!document.hidden) start();
