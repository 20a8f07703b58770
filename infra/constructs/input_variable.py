"""A value that Terraform takes from a TF_VAR_ variable of the environment."""

from __future__ import annotations

from typing import Any

from cdktf import Fn, TerraformVariable, Token

PREFIX = "TF_VAR_"


def input_variable(scope: Any, variable: str, *, sensitive: bool, description: str) -> Any:
    """The value of TF_VAR_x, declared once a stack however often it is used."""
    name = variable.removeprefix(PREFIX)
    declared = scope.node.try_find_child(name)
    if declared is None:
        declared = TerraformVariable(
            scope, name, type="string", sensitive=sensitive or None, description=description
        )
        declared.override_logical_id(name)
    return declared.string_value


def split_list(text: Any) -> Any:
    """A comma separated value as a list."""
    return Token.as_list(Fn.split(",", text))
