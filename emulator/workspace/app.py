"""The workspace's REST interface: all routes, and errors as Databricks gives them."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from emulator.errors import ApiError
from emulator.settings import Settings
from emulator.workspace import routes
from emulator.workspace.audit import AuditLog
from emulator.workspace.context import Workspace
from emulator.workspace.guard import Guard
from emulator.workspace.recovery import recover

log = logging.getLogger(__name__)


def create_app(
    settings: Settings, token: str, *, url: str = "http://127.0.0.1", memory: str = "6g"
) -> FastAPI:
    """The application of one workspace; ``url`` is where it is going to listen."""
    workspace = Workspace(settings, token, url, memory)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(recover, workspace)
        yield
        await run_in_threadpool(workspace.stop)

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.workspace = workspace
    for name in sorted(module.name for module in pkgutil.iter_modules(routes.__path__)):
        app.include_router(importlib.import_module(f"{routes.__name__}.{name}").router)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _defect)
    # The last one is the first to see a request: nobody without a token leaves an event.
    app.add_middleware(AuditLog, workspace=workspace)
    app.add_middleware(Guard, token=token)
    return app


def _error(status: int, error_code: str, message: str) -> JSONResponse:
    return JSONResponse({"error_code": error_code, "message": message}, status_code=status)


async def _api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101
    return _error(error.status, error.error_code, error.message)


async def _no_route(request: Request, error: Exception) -> JSONResponse:
    message = f"This workspace does not have {request.method} {request.url.path}."
    return _error(501, "NOT_IMPLEMENTED", message)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = (f"{'.'.join(map(str, p['loc'][1:]))}: {p['msg']}" for p in error.errors())
    return _error(400, "INVALID_PARAMETER_VALUE", "; ".join(problems))


async def _defect(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error(500, "INTERNAL_ERROR", f"{type(error).__name__}: {error}")
