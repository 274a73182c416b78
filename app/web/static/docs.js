// The page of the API: Swagger UI, in the reader's theme.
const shown = document.getElementById("swagger-ui");
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setTheme);
setTheme();
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
