"""The workspace page in Chromium: jobs with logs, expectations, tables, alerts, the dashboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.e2e.conftest import Platform

pytestmark = [pytest.mark.browser, pytest.mark.spark, pytest.mark.terraform]
# A dashboard draws all its widgets before it answers, however slow the machine is.
PAGE_SECONDS = 600
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1360,2600",
)


@pytest.fixture(scope="session")
def browser(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.binary_location = str(shutil.which("chromium") or shutil.which("google-chrome"))
    driver = Chrome(options=options, service=ChromeService(str(shutil.which("chromedriver"))))
    found = platform.variables
    driver.get(f"{found['DATABRICKS_HOST']}/login?token={found['DATABRICKS_TOKEN']}")
    yield driver
    driver.quit()


def open_page(browser: Chrome, platform: Platform, path: str) -> str:
    browser.get(platform.variables["DATABRICKS_HOST"] + path)
    return str(browser.find_element(By.TAG_NAME, "main").text)


def follow(browser: Chrome, text: str) -> str:
    return click(browser, By.PARTIAL_LINK_TEXT, text)


def click(browser: Chrome, by: str, what: str) -> str:
    """Click what leads to another page, and wait for that: until it comes, the old one is found."""
    old = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(by, what).click()
    WebDriverWait(browser, PAGE_SECONDS).until(staleness_of(old))
    return str(browser.find_element(By.TAG_NAME, "main").text)


def test_jobs_lead_to_runs_and_logs(browser: Chrome, platform: Platform) -> None:
    listed = open_page(browser, platform, "/ui/jobs")
    assert "refresh_orchestrator" in listed
    assert "SUCCESS" in follow(browser, "gold_refresh")
    assert "Tasks" in click(browser, By.CSS_SELECTOR, "section table tbody tr td a")
    log = click(browser, By.CSS_SELECTOR, "section:nth-of-type(2) tbody tr td a")
    assert "Log" in log
    assert "fact_usage" in log


def test_pipelines_show_expectation_counts(browser: Chrome, platform: Platform) -> None:
    open_page(browser, platform, "/ui/pipelines")
    page = follow(browser, "silver")
    assert "Expectations" in page
    assert "silver_usage" in page
    assert "COMPLETED" in page


def test_tables_show_comments_and_a_sample(browser: Chrome, platform: Platform) -> None:
    open_page(browser, platform, "/ui/tables")
    page = follow(browser, "fact_usage")
    assert "effective_cost" in page
    assert "Technical:" in page
    assert "Sample" in page


def test_alerts_show_state_and_history(browser: Chrome, platform: Platform) -> None:
    listed = open_page(browser, platform, "/ui/alerts")
    assert "OK" in listed or "TRIGGERED" in listed
    page = click(browser, By.CSS_SELECTOR, "tbody tr td a")
    assert "History" in page
    assert "never" not in page.split("History")[0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "This workspace"),
        ("/ui/monitors", "fact_usage"),
        ("/ui/models", "champion"),
        ("/ui/endpoints", "READY"),
    ],
)
def test_the_other_pages(browser: Chrome, platform: Platform, path: str, expected: str) -> None:
    assert expected in open_page(browser, platform, path)


def test_the_dashboard_is_drawn_and_its_filter_acts(
    browser: Chrome, platform: Platform, tmp_path: Path
) -> None:
    open_page(browser, platform, "/ui/dashboards")
    follow(browser, "Cost")
    widgets = browser.find_elements(By.CSS_SELECTOR, ".widget")
    assert len(widgets) >= 10
    kinds = {str(w.get_attribute("data-kind")) for w in widgets}
    assert len(kinds) >= 5
    assert browser.find_elements(By.CSS_SELECTOR, ".failed") == []
    assert browser.find_elements(By.CSS_SELECTOR, ".widget svg") != []
    assert browser.save_screenshot(str(tmp_path / "dashboard.png"))
    before = browser.find_element(By.CSS_SELECTOR, ".counter").text
    choice = Select(browser.find_element(By.CSS_SELECTOR, "[data-kind=filter-multi-select] select"))
    choice.select_by_index(0)
    click(browser, By.CSS_SELECTOR, ".widget button")
    assert browser.find_element(By.CSS_SELECTOR, ".counter").text != before


def test_without_the_token_there_is_no_page(platform: Platform) -> None:
    import httpx

    assert httpx.get(platform.variables["DATABRICKS_HOST"] + "/ui/jobs").status_code == 401
