"""The pages for people."""

from __future__ import annotations

from fastapi import APIRouter

from emulator.workspace.pages import assets, runs

router = APIRouter()
router.include_router(runs.router)
router.include_router(assets.router)
