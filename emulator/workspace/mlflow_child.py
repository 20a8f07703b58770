"""The MLflow server's process: one worker, SQLite, artifacts in a folder, served by itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from emulator.workspace.child import HOST, child_port, end_with_parent


def main(folder: Path) -> None:
    """Serve the MLflow of ``folder`` until the workspace ends."""
    end_with_parent()
    from mlflow.server import constants

    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    backend = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ.update(
        {
            constants.BACKEND_STORE_URI_ENV_VAR: backend,
            constants.REGISTRY_STORE_URI_ENV_VAR: backend,
            constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
            constants.ARTIFACTS_DESTINATION_ENV_VAR: str(artifacts),
            constants.SERVE_ARTIFACTS_ENV_VAR: "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
    )
    import uvicorn
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(backend, backend, "mlflow-artifacts:/")
    uvicorn.run(app, host=HOST, port=child_port(), log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
