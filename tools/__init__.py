"""What people run here; the only room that knows all others."""

import infra  # noqa: F401 - puts the sources of the wheel on the path
