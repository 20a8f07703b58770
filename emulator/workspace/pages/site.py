"""What all pages share: the API they read, as any client would, and the template they fill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

from emulator.errors import ApiError
from emulator.workspace.context import Workspace
from emulator.workspace.pages.sections import Section

NAVIGATION = [
    ("Overview", "/"),
    ("Jobs", "/ui/jobs"),
    ("Pipelines", "/ui/pipelines"),
    ("Tables", "/ui/tables"),
    ("Dashboards", "/ui/dashboards"),
    ("Alerts", "/ui/alerts"),
    ("Monitors", "/ui/monitors"),
    ("Models", "/ui/models"),
    ("Endpoints", "/ui/endpoints"),
]

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
)


class Site:
    """Reads the workspace's own REST interface within the process, and fills templates."""

    def __init__(self, request: Request) -> None:
        self.workspace: Workspace = request.app.state.workspace
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=request.app, raise_app_exceptions=False),
            base_url=self.workspace.url,
            headers={"Authorization": f"Bearer {self.workspace.token}"},
        )

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The JSON of a GET; ApiError as the API gives it."""
        answer = await self._client.get(path, params=parameters)
        body: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise ApiError(answer.status_code, body["error_code"], body["message"])
        return body

    async def get_or_none(self, path: str, **parameters: Any) -> dict[str, Any] | None:
        """The JSON of a GET; None when there is no such thing."""
        try:
            return await self.get(path, **parameters)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def sections(self, here: str, title: str, sections: list[Section]) -> HTMLResponse:
        """A page of sections."""
        return self.page("sections.html", here, title, sections=sections)

    def page(self, template: str, here: str, title: str, **values: Any) -> HTMLResponse:
        text = _TEMPLATES.get_template(template).render(
            navigation=NAVIGATION, here=here, title=title, **values
        )
        return HTMLResponse(text)


Here = Annotated[Site, Depends(Site)]
