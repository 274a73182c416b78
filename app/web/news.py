"""The switches of the mail about news: on the first page, and in each mail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.actions import news as actions
from app.actions.asking import Asking
from app.actions.news import SwitchNewsMail
from app.http.auth.holders import FormAsks
from app.http.fields import Fields
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.onward import HOME
from app.services import services
from app.teaching.news_mail import OFF_PATH, SECRET_CHARACTERS

router = APIRouter(include_in_schema=False)


@router.post("/news/mail")
async def switch_mail(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.switch_news_mail))]
) -> Response:
    async with form_of(request) as form:
        wanted = Fields(fields_of(form)).read(SwitchNewsMail)
    await actions.switch_news_mail(asking, wanted)
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
