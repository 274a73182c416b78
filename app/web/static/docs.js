// The page of the API: Swagger UI, in the reader's theme.
const shown = document.getElementById("swagger-ui");
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setTheme);
setTheme();
const TITLES = ".response-control-examples__title, .examples-select__section-label, .opblock-title";
const LEVELS = [[".opblock h4", 3], [".opblock h5", 4], [".modal-ux h3", 2], [".modal-ux h4", 3]];
const NAMES = [[".copy-to-clipboard button", "Copy"], [".close-modal", "Close"]];
const FIELDS = ".opblock :is(select, textarea, input):not([aria-label], [type=checkbox])";

// An operation is made when it is opened, and so is the dialog of the token. Their headings follow those of the page, a
// picture that is pressed gets a name, and a field without a name gets that of its parameter, or the words above it.
function mend() {
  for (const [heading, level] of LEVELS) {
    for (const each of shown.querySelectorAll(heading)) each.setAttribute("aria-level", level);
  }
  for (const [picture, name] of NAMES) {
    for (const each of shown.querySelectorAll(picture)) each.setAttribute("aria-label", name);
  }
  // The role of a region would hide a table.
  for (const each of shown.querySelectorAll(".responses-table")) each.removeAttribute("role");
  // Long lines scroll, by keys too.
  for (const each of shown.querySelectorAll(".opblock pre")) each.tabIndex = 0;
  for (const field of shown.querySelectorAll(FIELDS)) {
    const { paramName, propertyName } = field.closest("[data-param-name], [data-property-name]")?.dataset ?? {};
    field.setAttribute("aria-label", paramName ?? propertyName ?? titleAbove(field));
  }
}

function titleAbove(field) {
  let around = field.parentElement;
  while (!around.querySelector(TITLES)) around = around.parentElement;
  return around.querySelector(TITLES).textContent.trim();
}

new MutationObserver(mend).observe(shown, { childList: true, subtree: true });
SwaggerUIBundle({
  url: "/openapi.json",
  domNode: shown,
  // Its links lie within buttons, where no screen reader tells them apart.
  deepLinking: false,
  // The bodies stand with the requests that have them.
  defaultModelsExpandDepth: -1,
  persistAuthorization: false,
  validatorUrl: null,
  onComplete() {
    // They follow the page's title.
    for (const tag of shown.querySelectorAll("h3.opblock-tag")) tag.setAttribute("aria-level", "2");
    shown.removeAttribute("aria-busy");
  },
});
