"""Where the workspace is: the provider block, the environment, or a profile. Loopback only."""

from __future__ import annotations

import configparser
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator.provider.client import Api
from emulator.provider.values import UNKNOWN


class ConfigurationError(Exception):
    """A provider setting that cannot be used; ``attribute`` is the one to look at."""

    def __init__(self, summary: str, detail: str, attribute: str | None = None) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.attribute = attribute


def connect(config: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Api:
    """The workspace that the configuration names; ConfigurationError when it may not be used."""
    host, token = config.get("host"), config.get("token")
    profile = config.get("profile") or environment.get("DATABRICKS_CONFIG_PROFILE")
    if host is UNKNOWN or token is UNKNOWN:
        raise ConfigurationError(
            "provider configuration is not known yet",
            "host and token must be known when Terraform plans.",
            "host" if host is UNKNOWN else "token",
        )
    host = host or environment.get("DATABRICKS_HOST")
    token = token or environment.get("DATABRICKS_TOKEN")
    if profile and not (host and token):
        settings = _profile(str(profile), config.get("config_file"), environment)
        host, token = host or settings.get("host"), token or settings.get("token")
    if not host:
        raise ConfigurationError(
            "no workspace host",
            "Set host in the provider block, DATABRICKS_HOST, or a profile.",
            "host",
        )
    address = _loopback(str(host))
    if not token:
        raise ConfigurationError(
            "no token", "Set token in the provider block, DATABRICKS_TOKEN, or a profile.", "token"
        )
    return Api(address, str(token))


def _profile(name: str, file: Any, environment: Mapping[str, str]) -> Mapping[str, str]:
    path = Path(file or environment.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path.expanduser())
    if name != parser.default_section and not parser.has_section(name):
        raise ConfigurationError("no such profile", f"{path} has no profile {name!r}.", "profile")
    return parser[name]


def _loopback(host: str) -> str:
    address = host if "://" in host else f"https://{host}"
    name = urlsplit(address).hostname or ""
    if name != "localhost" and not _is_loopback_address(name):
        raise ConfigurationError(
            "only a workspace on this machine can be used",
            f"This is the offline stand-in for the Databricks provider; it talks to loopback "
            f"addresses only, and {name or host!r} is not one. For a real workspace, let "
            f"Terraform install the official provider.",
            "host",
        )
    return address


def _is_loopback_address(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
