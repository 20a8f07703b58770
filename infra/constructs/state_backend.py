"""Where a stack keeps its state: S3, with a lock file beside it."""

from __future__ import annotations

from typing import Any

from cdktf import S3Backend


def state_settings(*, bucket: str, key: str, region: str, is_aws: bool) -> dict[str, Any]:
    """Where a state lies. Endpoint and credentials come from AWS_* variables."""
    # Another server that speaks S3 has no STS, no instance metadata and no virtual host a bucket.
    other = None if is_aws else True
    return {
        "bucket": bucket,
        "key": key,
        "region": region,
        "encrypt": is_aws or None,
        "use_path_style": other,
        "skip_credentials_validation": other,
        "skip_metadata_api_check": other,
        "skip_region_validation": other,
        "skip_requesting_account_id": other,
    }


def s3_state(scope: Any, settings: dict[str, Any], *, use_lockfile: bool) -> None:
    """Keep the state of a stack there."""
    S3Backend(scope, **settings)
    # The binding is older than the setting.
    scope.add_override("terraform.backend.s3.use_lockfile", use_lockfile)
