"""Show what the theme itself says in the language of the page: Russian on pages that end in `.ru.md`."""

from __future__ import annotations

from typing import Any


def on_page_context(context: dict[str, Any], *, page: Any, config: Any, **_: Any) -> dict[str, Any]:
    config.theme["language"] = "ru" if page.file.src_uri.endswith(".ru.md") else "en"
    return context
