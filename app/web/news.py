"""The switches of the mail about news: on the first page, and in each mail."""

from __future__ import annotations

from fastapi import Request, Response

from app.actions import news as actions
from app.actions.news import SwitchNewsMail
from app.http.forms import see_other
from app.http.pages import page
from app.http.visits import Pages, Visit
from app.onward import HOME
from app.services import services
from app.teaching.news_mail import OFF_PATH, SECRET_CHARACTERS

router = Pages()


@router.form("/news/mail", actions.switch_news_mail)
async def switch_mail(visit: Visit) -> Response:
    wanted = visit.fields.read(SwitchNewsMail)
    await actions.switch_news_mail(visit, wanted)
    return see_other(HOME, said="news.off" if wanted.off else "news.on")


@router.get(OFF_PATH)
async def off_page(request: Request, of: str = "") -> Response:
    """Ask whether to end the mail: the link alone changes nothing, because mail servers open it."""
    return page(request, "student/news_off.html", of=of, is_off=False)


@router.post(OFF_PATH)
async def end_mail(request: Request, of: str = "") -> Response:
    """End the mail, asked for by the page or by a mail program (RFC 8058). The secret in the link is the only proof."""
    if of.isprintable():
        await actions.end_news_mail(services(request).database, of[:SECRET_CHARACTERS])
    return page(request, "student/news_off.html", of=of, is_off=True)
