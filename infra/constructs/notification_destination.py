"""Where notifications go."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.notification_destination import (
    NotificationDestination as DatabricksNotificationDestination,
)
from cdktf_cdktf_provider_databricks.notification_destination import (
    NotificationDestinationConfigA,
    NotificationDestinationConfigEmail,
    NotificationDestinationConfigPagerduty,
    NotificationDestinationConfigSlack,
)

from infra.constructs.base import Reference, address


class NotificationDestination:
    """A mailing list, a Slack channel or a PagerDuty service: exactly one of them."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        display_name: str,
        addresses: Any = None,
        slack_url: Any = None,
        pagerduty_key: Any = None,
    ) -> None:
        if addresses is not None:
            email = NotificationDestinationConfigEmail(addresses=addresses)
            config = NotificationDestinationConfigA(email=email)
        elif slack_url is not None:
            slack = NotificationDestinationConfigSlack(url=slack_url)
            config = NotificationDestinationConfigA(slack=slack)
        else:
            pagerduty = NotificationDestinationConfigPagerduty(integration_key=pagerduty_key)
            config = NotificationDestinationConfigA(pagerduty=pagerduty)
        resource = DatabricksNotificationDestination(
            scope, address(scope, "destination", name), display_name=display_name, config=config
        )
        self.id = Reference(resource.id)
