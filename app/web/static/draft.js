// Keeps the code that is pasted into a form, in this tab alone, until it is handed in: signing in again, a form that has
// expired and a lost connection take nothing away. `data-draft` names its reader and the assignment.
export function keepDraft(form) {
  const { code } = form.elements;
  const name = `draft ${form.dataset.draft}`;
  const kept = tried(() => sessionStorage.getItem(name));
  // What the service sent back is the newest.
  if (kept && !code.value) {
    code.value = kept;
    form.querySelector("[data-restored]").hidden = false;
  }
  code.addEventListener("input", () => {
    form.querySelector("[data-restored]").hidden = true;
    if (code.value) tried(() => sessionStorage.setItem(name, code.value));
    else tried(() => sessionStorage.removeItem(name));
  });
  return { forget: () => tried(() => sessionStorage.removeItem(name)) };
}

// A browser may forbid to keep anything, or have no space left. Then the form works as without it.
function tried(use) {
  try {
    return use();
  } catch {
    return null;
  }
}
