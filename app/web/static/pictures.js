// Draws the pictures of a report, so that one can point at a value and read it. Their definitions stand in the page. Without
// scripts the page shows SVG images instead, and where anything goes wrong here, this script puts them in.
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

// What stands in <noscript> is text to a browser that runs scripts.
function useImage({ chart, script }) {
  chart.outerHTML = script.parentElement.querySelector("noscript").textContent;
}

const charts = [...document.querySelectorAll("script[data-loading]")].map(place);
const engine = charts.length ? import("/static/vega.js") : null;
for (const chart of charts) {
  try {
    await engine;
    await draw(chart);
  } catch (error) {
    console.error(error);
    useImage(chart);
  }
}
