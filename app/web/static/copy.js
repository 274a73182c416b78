// Shows the buttons that copy a text, which need this script; without it the text is selected by a click.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      // Without HTTPS there is no clipboard: select the text for the reader's own keys.
      getSelection().selectAllChildren(button.previousElementSibling);
      return;
    }
    button.textContent = button.dataset.done;
  });
}
