// Shows times by the reader's own clock. The page has them by the clock of the course, with its zone.
const format = new Intl.DateTimeFormat(document.documentElement.lang, {
  weekday: "short", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

export function showOwnZone(root) {
  for (const time of root.querySelectorAll("time[data-own-zone]")) {
    time.title = time.textContent.trim();
    time.textContent = format.format(new Date(time.dateTime));
    time.removeAttribute("data-own-zone");
  }
}

showOwnZone(document);
