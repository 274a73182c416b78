// Runs in each page before its own scripts: notes what happens while it loads, and looks at it when asked.
const noted = { shift: 0, refused: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) noted.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
document.addEventListener("securitypolicyviolation", (event) => {
  noted.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});

const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary";
const all = (selector) => [...document.querySelectorAll(selector)];
const isShown = (each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: true });

function named(each) {
  const box = each.getBoundingClientRect();
  const text = each.textContent.trim().slice(0, 40);
  return `${each.tagName}.${each.className} ${Math.round(box.width)}x${Math.round(box.height)}: ${text}`;
}

// Wider than the page, or with a scroll bar of its own. Code has one, and so has a region that keys can scroll; words
// among the code stay in sight.
function tooWide() {
  return all("*").filter((each) => {
    if (each.matches("pre .note")) return each.offsetWidth > each.closest("pre").clientWidth + 1;
    if (each.closest("pre, svg, [role=region][tabindex]")) return false;
    const overflow = getComputedStyle(each).overflowX;
    if (each === document.documentElement || ["auto", "scroll"].includes(overflow))
      return each.scrollWidth > each.clientWidth + 1;
    return each.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
  }).map(named);
}

// Scrolls sideways and does not say so, or no key gets there by its name; or says so and does not scroll.
function silent() {
  return all("body *").filter((each) => {
    const { content, visibility } = getComputedStyle(each, "::before");
    const isSaid = each.hasAttribute("data-sideways") && content.includes(each.dataset.sideways) && visibility === "visible";
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth + 1;
    const isReached = each.matches("[tabindex='0'][role]:is([aria-label], [aria-labelledby])") || each.querySelector(CONTROLS);
    return isSaid !== scrolls || (scrolls && !isReached);
  }).map(named);
}

// Words that begin on one line and end on the next. Code, addresses and names without an end have no better place.
function tornWords() {
  const found = [], range = document.createRange(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { currentNode: node } = texts;
    if (node.parentElement.closest("pre, code, svg, script, select, #swagger-ui") || !isShown(node.parentElement)) continue;
    for (const { 0: word, index } of node.data.matchAll(/(?<!\S)[\p{L}\d+:]{2,20}(?!\S)/gu)) {
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const lines = new Set([...range.getClientRects()].filter((box) => box.width).map((box) => Math.round(box.top)));
      if (lines.size > 1) found.push(`${named(node.parentElement)}: ${word}`);
    }
  }
  return found;
}

// A link within a sentence is as high as its line: WCAG 2.5.8, "Inline".
function isInSentence(each) {
  if (each.tagName !== "A" || getComputedStyle(each).display !== "inline") return false;
  const around = each.closest("p, li, dd, dt, td, th, figcaption, label, small, summary, h1, h2, h3, h4");
  return around !== null && around.textContent.trim().length > each.textContent.trim().length;
}

// Less than 44 by 44 pixels. What is not seen before it has the focus is for keys. A part of a drawing is as large as its
// number, and the list below it opens the same: WCAG 2.5.8, "Equivalent".
function tooSmall() {
  return all(CONTROLS).filter((each) => {
    const box = (each.closest("label") ?? each).getBoundingClientRect();
    if (!isShown(each) || isInSentence(each) || each.ownerSVGElement || box.right < 0 || box.width < 2) return false;
    return box.height < 43.5 || box.width < 43.5;
  }).map(named);
}

// Call it after a key was pressed: browsers show the focus then.
function withoutFocus() {
  const found = all(`${CONTROLS}, [tabindex='0']`).filter((each) => isShown(each) && !each.disabled).filter((each) => {
    each.focus();
    const style = getComputedStyle(each);
    return document.activeElement !== each || style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0;
  }).map(named);
  document.activeElement?.blur();
  return found;
}

// A mouse can press it and no key gets there, or it has an order of its own. Rows of Swagger UI hold a button for keys.
function withoutKeys() {
  const can = `${CONTROLS}, label, option, [tabindex]`;
  const isPressed = (each) => getComputedStyle(each).cursor === "pointer" && !each.closest(`${can}, #swagger-ui`);
  return all("body *").filter((each) => isPressed(each) || each.tabIndex > 0).map(named);
}

const CLEAR = " rgba(0, 0, 0, 0) none 1";
// The longest text of each colour and size on each ground: what they are is what contrast is made of, and it costs most.
function ofEachColour() {
  const grounds = new Map([[null, ""]]);
  const groundOf = (each) => {
    if (!grounds.has(each)) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(each);
      const own = ` ${backgroundColor} ${backgroundImage} ${opacity}`;
      grounds.set(each, groundOf(each.parentElement) + (own === CLEAR ? "" : own));
    }
    return grounds.get(each);
  };
  const longest = new Map();
  for (const each of all("body *")) {
    const own = [...each.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const length = (each.value || each.placeholder || own.map((node) => node.data.trim()).join("")).length;
    if (!length || !isShown(each) || each.getBoundingClientRect().width < 2 || each.matches(":disabled")) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(each);
    const look = `${color} ${fontSize} ${fontWeight}${groundOf(each)}`;
    if (length > (longest.get(look)?.length ?? 0)) longest.set(look, { each, length });
  }
  return [...longest.values()].map(({ each }) => each);
}

async function broken(where, rules) {
  const { violations } = await axe.run(where, { resultTypes: ["violations"], preload: false, ...rules });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target}: ${node.html.slice(0, 160)}`));
}

function luminance(colour) {
  const shares = colour.match(/[\d.]+/g).map((each) => each / 255);
  const [r, g, b] = shares.map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// axe-core looks at no placeholder.
function palePlaceholders() {
  return all("[placeholder]").filter(isShown).filter((each) => {
    const colours = [getComputedStyle(each, "::placeholder").color, getComputedStyle(each).backgroundColor];
    const [dark, light] = colours.map(luminance).sort((one, other) => one - other);
    return (light + 0.05) / (dark + 0.05) < 4.5;
  }).map((each) => `placeholder: ${each.name}`);
}
const brokenRules = () => broken(document, { rules: { "color-contrast": { enabled: false } } });
const paleColours = async () => [
  ...(await broken({ include: ofEachColour() }, { runOnly: ["color-contrast"] })), ...palePlaceholders(),
];

const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

// Call it when the page is there. Returns what was noted; what is folded is opened.
async function arrived() {
  await drawn();
  for (const each of all("details")) each.open = true;
  return noted;
}

// What has another place than it had when `remember` was called, in sight or not.
const topOf = (each) => each.getBoundingClientRect().top + scrollY;
let places;
const remember = () => void (places = all("main *").filter(isShown).map((each) => [each, topOf(each)]));
const moved = () => places.filter(([each, before]) => Math.abs(topOf(each) - before) > 1).map(([each]) => named(each));

const said = () => ({
  title: document.title,
  language: document.documentElement.lang,
  headings: all("h1").map((each) => each.innerText),
  is_drawn: all(".chart, #swagger-ui").length > 0,
});

// Bars for clicking, which paper has no use for.
const bars = () => all(".bar, .course-bar, .foot, .pager, .filters").filter(isShown).map((each) => each.className);

// Returns what each of these functions finds, by its name.
async function found(names) {
  await drawn();
  const finding = {};
  for (const name of names) finding[name] = await window.looks[name]();
  return finding;
}

window.looks = {
  arrived, bars, brokenRules, found, moved, noted, paleColours, remember, said, silent, tooSmall, tooWide, tornWords,
  withoutFocus, withoutKeys,
};
