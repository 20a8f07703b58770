"""The process that scores one model version: MLflow's own scoring server on loopback."""

from __future__ import annotations

import sys

from emulator.workspace.child import HOST, child_port, end_with_parent


def main(model_uri: str) -> None:
    """Load the model and answer until the workspace ends."""
    end_with_parent()
    import uvicorn
    from mlflow.pyfunc import load_model, scoring_server

    app = scoring_server.init(load_model(model_uri))
    uvicorn.run(app, host=HOST, port=child_port(), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1])
