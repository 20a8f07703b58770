"""How a browser comes in: a link with the token sets a cookie that is good for pages only."""

from __future__ import annotations

import hmac

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from emulator.errors import ApiError, invalid_parameter
from emulator.workspace.context import Here
from emulator.workspace.guard import COOKIE, page_cookie

router = APIRouter()


@router.get("/login")
def login(here: Here, token: str | None = None, next: str = "/") -> RedirectResponse:
    if not hmac.compare_digest((token or "").encode(), here.token.encode()):
        raise ApiError(401, "UNAUTHENTICATED", "The token is wrong.")
    if not next.startswith("/") or next.startswith("//") or "\\" in next:
        raise invalid_parameter("next must be a path of this workspace.")
    answer = RedirectResponse(next, status_code=303)
    answer.set_cookie(COOKIE, page_cookie(here.token), httponly=True, samesite="strict", path="/")
    return answer
