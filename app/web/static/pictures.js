// Draws the pictures of a report anew, so that one can point at a value and read it. Without this script, or when
// anything goes wrong here, the pictures stay as they are.
const images = [...document.querySelectorAll("img[data-chart]")];
const options = {
  actions: false,
  // The page may run no code that is made from strings: expressions are interpreted instead.
  ast: true,
  // Styles are in style.css; the page may have none of its own.
  defaultStyle: false,
  renderer: "canvas",
  tooltip: { disableDefaultStyle: true },
};

async function draw(image) {
  const answer = await fetch(image.dataset.chart);
  if (!answer.ok) return;
  const definition = { ...(await answer.json()), width: "container" };
  const chart = document.createElement("div");
  chart.className = "chart";
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", image.alt);
  // In its place before it is drawn: it takes its width from there.
  image.replaceWith(chart);
  await window.vegaEmbed(chart, definition, options).catch((error) => {
    chart.replaceWith(image);
    throw error;
  });
}

if (images.length) {
  await import("/static/vega.js");
  for (const image of images) await draw(image).catch(console.error);
}
