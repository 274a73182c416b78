// Shows times by the reader's own clock, written as the page writes them. The page has them by the clock of the course.
const format = new Intl.DateTimeFormat(document.documentElement.lang, {
  day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "longOffset",
});

function written(moment) {
  const { day, month, year, hour, minute, timeZoneName } = Object.fromEntries(
    format.formatToParts(moment).map((part) => [part.type, part.value]),
  );
  const zone = timeZoneName.replace("GMT", "UTC").replace("+00:00", "").replace("-", "\u2212");
  return `${day} ${month} ${year}, ${hour}:${minute} ${zone}`;
}

export function showOwnZone(root) {
  for (const time of root.querySelectorAll("time[data-own-zone]")) {
    time.title = time.textContent.trim();
    time.textContent = written(new Date(time.dateTime));
    time.removeAttribute("data-own-zone");
  }
}

showOwnZone(document);
