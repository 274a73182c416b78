// Makes the pictures of a report answer: a number under the pointer or the arrow keys, on the curve and on the map of all
// numbers; and the other pictures, drawn when they are opened. Without scripts all of them are there, and silent.
import { readNumbers, followMap } from "./numbers.js";

const options = {
  actions: false,
  // The page may run no code that is made from strings: expressions are interpreted instead.
  ast: true,
  // Styles are in style.css; the page may have none of its own.
  defaultStyle: false,
  renderer: "canvas",
  tooltip: { disableDefaultStyle: true },
};

// In its place before it is drawn: it takes its width from there, and says until then that it is coming.
function place(script) {
  const chart = document.createElement("div");
  const waiting = document.createElement("p");
  chart.className = "chart";
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", script.dataset.title);
  chart.setAttribute("aria-busy", "true");
  waiting.className = "loading";
  waiting.textContent = script.dataset.loading;
  chart.append(waiting);
  script.after(chart);
  return { chart, script };
}

async function draw({ chart, script }) {
  const definition = { ...JSON.parse(script.textContent), width: "container" };
  await window.vegaEmbed(chart, definition, options);
  chart.removeAttribute("aria-busy");
}

// What stands in <noscript> is text to a browser that runs scripts, and elements where `waiting.js` has put the report.
function useImage({ chart, script }) {
  chart.outerHTML = script.parentElement.querySelector("noscript").innerHTML;
}

async function drawAll(details) {
  const engine = import("/static/vega.js");
  for (const chart of [...details.querySelectorAll("script[data-loading]")].map(place)) {
    try {
      await engine;
      await draw(chart);
    } catch (error) {
      console.error(error);
      useImage(chart);
    }
  }
}

function whenOpened(details, act) {
  const opened = async () => {
    if (!details.open) return;
    details.removeEventListener("toggle", opened);
    try {
      await act(details);
    } catch (error) {
      console.error(error);
      // The next opening tries again.
      details.addEventListener("toggle", opened);
    }
  };
  details.addEventListener("toggle", opened);
  opened();
}

// The numbers under the pointer on a curve, from the table below it.
function followCurve(figure) {
  const [lines, reading] = [figure.querySelector(".plot .lines"), figure.querySelector(".reading")];
  const names = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
  const last = Number(figure.dataset.steps) - 1;
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [name, value] of Object.entries({ class: "cursor", y1: 0, y2: 220 })) cursor.setAttribute(name, value);
  let at = 0;

  function show(step) {
    at = Math.min(Math.max(step, 0), Math.min(last, rows.length - 1));
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, `${last ? (100 * at) / last : 0}%`);
    lines.append(cursor);
    reading.textContent = rows[at].map((value, column) => `${names[column]} ${value}`).join(", ");
  }

  lines.addEventListener("pointermove", (event) => {
    const box = lines.getBoundingClientRect();
    show(Math.round((last * (event.clientX - box.left)) / box.width));
  });
  const plot = figure.querySelector(".plot");
  plot.tabIndex = 0;
  plot.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}

async function showNumbers(details) {
  const reading = details.querySelector(".reading");
  reading.textContent = details.dataset.loading;
  try {
    followMap(details, await readNumbers(details.dataset.numbers));
  } catch (error) {
    reading.textContent = details.dataset.failed;
    throw error;
  }
}

for (const details of document.querySelectorAll("details.pictures")) whenOpened(details, drawAll);
for (const details of document.querySelectorAll("details.map[data-numbers]")) whenOpened(details, showNumbers);
for (const figure of document.querySelectorAll("figure.curve")) followCurve(figure);
