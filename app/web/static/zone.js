// Fills in the browser's own time zone where nobody has chosen one.
const field = document.querySelector("input[data-guess]");
const guessed = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (field && [...field.list.options].some((option) => option.value === guessed)) field.value = guessed;
