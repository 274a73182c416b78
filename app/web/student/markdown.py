"""The texts of assignments as HTML. They are Markdown of a teacher: HTML in them is shown as text, links lead to web
pages only, and pictures become links.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

# The page has the title, and a heading above the text.
HEADING_LEVELS = 2


def to_html(text: str, code: str, sideways: str) -> Markup:
    """Return the text as HTML, whose headings lie below those of the page.

    Args:
        code: the label of boxes of code for screen readers.
        sideways: the hint of these boxes where they scroll.
    """
    return Markup(_renderer().render(text, {"code": code, "sideways": sideways}))  # noqa: S704


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False}).disable("image").enable("table")
    for name in ("heading_open", "heading_close"):
        renderer.add_render_rule(name, _heading)
    renderer.add_render_rule("fence", _code)
    renderer.add_render_rule("code_block", _code)
    return renderer


def _heading(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
    level = min(int(tokens[at].tag[1:]) + HEADING_LEVELS, 6)
    tokens[at].tag = f"h{level}"
    return renderer.renderToken(tokens, at, options, env)


def _code(_renderer: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, env: Any) -> str:
    # A box that scrolls must be reachable by keyboard.
    box = Markup('<pre data-sideways="{}" tabindex="0" role="group" aria-label="{}"><code>{}</code></pre>\n')
    return box.format(env["sideways"], env["code"], tokens[at].content)
