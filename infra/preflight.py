"""What must be there before Terraform can start; everything that is not, said at once."""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Mapping
from urllib.parse import urlsplit

from infra.environment import Environment
from infra.paths import NODE_BIN

HOW_TO_GET = {
    "node": "nodejs.org, or nvm install 20",
    "terraform": "developer.hashicorp.com/terraform/install (1.6 or newer)",
    "cdktf": "`make setup`, or `npm ci` and node_modules/.bin on PATH",
}


class PreflightError(Exception):
    """Something that a person must do first."""


def search_path(variables: Mapping[str, str]) -> str:
    """PATH, and the folder where `make setup` puts cdktf."""
    return os.pathsep.join([str(NODE_BIN), variables.get("PATH", "")])


def find(program: str, variables: Mapping[str, str]) -> str:
    """The full path of a program; PreflightError says how to get it."""
    found = shutil.which(program, path=search_path(variables))
    if found is None:
        raise PreflightError(f"{program} is not on PATH; get it: {HOW_TO_GET[program]}")
    return found


def check(environment: Environment, variables: Mapping[str, str]) -> None:
    """Refuse to start when a variable is missing or the host is not one of the environment's."""
    problems = []
    missing = environment.missing_variables(variables)
    if missing:
        problems.append(
            f"these variables are not set, and environments/{environment.name}.yml names them: "
            + ", ".join(missing)
        )
    variable = environment.workspace.host_variable
    host = variables.get(variable, "")
    if host and environment.workspace.loopback_only and not is_loopback(host):
        problems.append(
            f"{variable} is {host}, but environment {environment.name} takes loopback hosts only"
        )
    if problems:
        raise PreflightError("\n".join(problems))


def is_loopback(host: str) -> bool:
    """Whether a host or URL is this machine, without asking a name server."""
    name = urlsplit(host if "//" in host else f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
