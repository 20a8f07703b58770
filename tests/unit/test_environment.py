"""environments/*.yml: the real files load, and a wrong file tells everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.environment import EnvironmentErrors, available, load_environment
from infra.paths import ENVIRONMENTS

PROD = (ENVIRONMENTS / "prod.yml").read_text(encoding="utf-8")
LOCAL = (ENVIRONMENTS / "local.yml").read_text(encoding="utf-8")


def problems(folder: Path, text: str, name: str = "local") -> list[str]:
    """What the loader says about a file: "line: message"."""
    (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentErrors) as caught:
        load_environment(name, folder)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def replaced(*pairs: tuple[str, str]) -> str:
    text = LOCAL
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize("name", ["dev", "local", "prod", "staging"])
def test_the_environments_of_the_repository_are_right(name: str) -> None:
    environment = load_environment(name)
    assert environment.name == name
    assert environment.production is (name == "prod")
    assert environment.prevent_destroy is (name != "local")
    assert (environment.run_as is not None) is (name != "local")


def test_staging_is_production_but_for_its_size_and_who_is_called() -> None:
    staging, prod = load_environment("staging"), load_environment("prod")
    same = ("schedules", "retries", "run_as", "groups", "stacks", "silver_pipeline", "workspace")
    assert all(getattr(staging, key) == getattr(prod, key) for key in same)
    assert [d.kind for d in staging.destinations] == ["email", "slack"]
    assert staging.backend.key_prefix != prod.backend.key_prefix


def test_local_needs_the_emulator_only_and_reaches_nothing_else() -> None:
    environment = load_environment("local")
    assert environment.missing_variables({"DATABRICKS_HOST": "x", "AWS_ACCESS_KEY_ID": ""}) == [
        "DATABRICKS_TOKEN",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ]
    assert environment.terraform_variables == []
    assert environment.workspace.loopback_only


def test_prod_names_a_variable_for_its_workspace_each_address_and_key() -> None:
    assert load_environment("prod").terraform_variables == [
        "TF_VAR_workspace_id",
        "TF_VAR_email_addresses",
        "TF_VAR_slack_url",
        "TF_VAR_pagerduty_key",
        "TF_VAR_run_as_service_principal",
        "TF_VAR_budget_policy_id",
    ]


def test_all_problems_at_once_each_at_its_line(tmp_path: Path) -> None:
    text = replaced(
        ("currency: USD", "currency: dollars"),
        ("  size: 2X-Small", "  size: Tiny"),
        ("  auto_stop_minutes: 10", "  auto_stop_minutes: 0"),
        ("  continuous: false", "  continous: false"),
        ("kind: slack", "kind: pager"),
        ("prevent_destroy: false", "prevent_destroy: true"),
        ("use_lockfile: true", "use_lockfile: false"),
    )
    assert problems(tmp_path, text) == [
        f"local.yml:{line_of(text, 'currency')}: currency: 'dollars' is not allowed; "
        "it must match ^[A-Z]{3}$",
        f"local.yml:{line_of(text, 'Tiny')}: warehouse.size: 'Tiny' is not allowed; allowed: "
        "'2X-Small', 'X-Small', 'Small', 'Medium', 'Large', 'X-Large', '2X-Large' or '3X-Large'",
        f"local.yml:{line_of(text, 'auto_stop')}: warehouse.auto_stop_minutes: '0' is not "
        "allowed; must be greater than or equal to 1",
        f"local.yml:{line_of(text, 'silver_pipeline')}: key 'silver_pipeline.continuous' is "
        "missing; it must be given",
        f"local.yml:{line_of(text, 'continous')}: unknown key 'continous'; did you mean "
        "'continuous'?; allowed here: continuous",
        f"local.yml:{line_of(text, 'kind: pager')}: destinations[1]: a mapping has no known "
        "kind; allowed kinds: 'email', 'slack', 'pagerduty'",
        f"local.yml:{line_of(text, 'use_lockfile')}: backend.use_lockfile: 'False' is not "
        "allowed; allowed: True",
        f"local.yml:{line_of(text, 'force_destroy')}: force_destroy and prevent_destroy "
        "contradict each other; only one may be true",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("https://hooks.slack.health-monitor.invalid/services/none",
         "https://hooks.slack.com/services/T/B/x", "comes from a variable"),
        ("platform-team@health-monitor.invalid", "someone@example.com", "comes from a variable"),
        ("integration_key: none.invalid", "integration_key: 0123456789abcdef",
         "comes from a variable"),
        ("url: https", "url_variable: TF_VAR_x\n    url: https", "exactly one of"),
        ("url: https://hooks.slack.health-monitor.invalid/services/none",
         "url_variable: SLACK_URL", "TF_VAR_"),
        ("name: slack", "name: email", "stands twice"),
        ("id: 1000000000000001", "id_variable: TF_VAR_x\n  id: 1", "exactly one of 'id_variable'"),
        ("id: 1000000000000001", "id: 0", "workspace.id: '0' is not allowed"),
        ("access: health_monitor_access_readers", "access: health_monitor_analysts",
         "group 'health_monitor_analysts' is analysts already; each role has its own"),
        ("access: health_monitor_access_readers", "Access: x", "groups.domains.Access"),
        ("  groups: managed", "  groups: made", "'managed' or 'existing'"),
        ("  owner: platform_team", "  holder: x", "tag 'owner' is missing"),
        ("ml, pipelines, semantic", "pipelines, semantic", "stack 'pipelines' needs ml"),
        ("pipelines, semantic", "pipelines, pipeline", "'pipeline' is not allowed"),
        ("name: local", "name: lokal", "must be the file's: 'local'"),
        ("host_variable: DATABRICKS_HOST", "host: https://x.com", "unknown key 'host'"),
        ("token", "token", ""),
    ][:-1],
)  # fmt: skip
def test_single_mistakes(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = replaced((old, new))
    found = problems(tmp_path, text)
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    ("old", "new", "place", "expected"),
    [
        ("severities: [critical]", "severities: [P1]", "[P1]",
         "destinations[2].severities[0]: 'P1' is not allowed; allowed: 'info', 'warning' or "
         "'critical'"),
        ("severities: [info, warning, critical]", "severities: [warning, critical]",
         "destinations:", "severity 'info' has no destination; name it in 'severities' of one"),
        ("  - kind: slack\n    name: slack\n    url: https://hooks.slack.health-monitor.invalid/"
         "services/none\n    severities: [warning, critical]",
         "  - kind: email\n    name: more\n    addresses: [a@b.invalid]\n    severities: [critical]"
         "  # twice", "# twice",
         "severity 'critical' has a mailing list already; use one for it"),
    ],
)  # fmt: skip
def test_each_severity_is_told_to_somebody_and_to_one_mailing_list(
    tmp_path: Path, old: str, new: str, place: str, expected: str
) -> None:
    text = replaced((old, new))
    assert f"local.yml:{line_of(text, place)}: {expected}" in problems(tmp_path, text)


def test_broken_yaml_is_a_problem_with_a_line(tmp_path: Path) -> None:
    found = problems(tmp_path, "name: local\ntags: [a, b\nstacks: {\n")
    assert len(found) == 1
    assert found[0].startswith("local.yml:") and "not valid YAML" in found[0]


def test_an_environment_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentErrors, match="there are: dev, local, prod, staging"):
        load_environment("staging_typo")
    assert available(tmp_path) == []


SECRET = "dapi" + "0123456789abcdef" * 2
DIRECT = "addresses: [ops@health-monitor.invalid]"
# What is refused may be said at the key above it.
PLACES = {"path: terraform.tfstate": "backend:", "null": "run_as:"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("force_destroy: false", "force_destroy: true",
         "production takes 'false' only for force_destroy: a destroy must never take data along"),
        ("prevent_destroy: true", "prevent_destroy: false",
         "production takes 'true' only for prevent_destroy: data must outlive a mistake in the "
         "code"),
        ("loopback_only: false", "loopback_only: true",
         "production takes 'false' only for workspace.loopback_only: a workspace on this machine "
         "is no production"),
        ("endpoint_variable: null", "endpoint_variable: AWS_ENDPOINT_URL_S3",
         "production takes 'null' only for backend.endpoint_variable: state lies in S3 itself, "
         "never on a machine"),
        ("  bucket: health-monitor-state", "  path: terraform.tfstate",
         "production keeps its state in S3, never on a machine; name it: backend.bucket"),
        ("  service_principal_variable: TF_VAR_run_as_service_principal", "  null",
         "production runs as a service principal; name its variable: "
         "run_as.service_principal_variable"),
        ("budget_policy_id_variable: TF_VAR_budget_policy_id", "budget_policy_id_variable: null",
         "production bills serverless compute to a budget policy; name its variable: "
         "budget_policy_id_variable"),
        ("addresses_variable: TF_VAR_email_addresses", DIRECT,
         "production takes no literal 'addresses'; use 'addresses_variable'"),
        ("integration_key_variable: TF_VAR_pagerduty_key", "integration_key: none.invalid",
         "production takes no literal 'integration_key'; use 'integration_key_variable'"),
        ("owner: platform_team", "owner: jane.doe@example.com",
         "owner: production names no e-mail address; use a group, or a variable"),
        ("analysts: health_monitor_analysts", "analysts: jane.doe@example.com",
         "analysts: production names no e-mail address; use a group, or a variable"),
        ("cost_center: platform", f"cost_center: {SECRET}",
         "cost_center: a Databricks token in plain text; name a variable that holds it"),
    ],
)  # fmt: skip
def test_production_refuses(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert PROD.count(old) == 1
    text = PROD.replace(old, new)
    place = PLACES.get(new.strip(), new)
    found = problems(tmp_path, text, "prod")
    assert f"prod.yml:{line_of(text, place)}: {expected}" in found


def test_what_production_refuses_may_stand_elsewhere(tmp_path: Path) -> None:
    text = PROD.replace("production: true", "production: false")
    for old, new in (
        ("prevent_destroy: true", "prevent_destroy: false"),
        ("  service_principal_variable: TF_VAR_run_as_service_principal", "  null"),
        ("addresses_variable: TF_VAR_email_addresses", DIRECT),
    ):
        text = text.replace(old, new)
    (tmp_path / "prod.yml").write_text(text, encoding="utf-8")
    assert load_environment("prod", tmp_path).run_as is None


def test_a_secret_is_refused_everywhere_and_never_shown(tmp_path: Path) -> None:
    for old, new in (
        ("cost_center: platform", f"cost_center: {SECRET}"),
        ("integration_key: none.invalid", f"integration_key: {SECRET}"),
        ("url: https://hooks.slack.health-monitor.invalid/services/none",
         f"url: https://hooks.slack.com/services/{SECRET}"),
    ):  # fmt: skip
        found = "\n".join(problems(tmp_path, replaced((old, new))))
        assert "in plain text" in found and SECRET not in found
