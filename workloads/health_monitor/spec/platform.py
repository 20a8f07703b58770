"""The tables in which the platform keeps its own records; they are made by code, not by files."""

from __future__ import annotations

from typing import NamedTuple


class PlatformColumn(NamedTuple):
    """A column of such a table."""

    type: str
    comment: str


class PlatformTable(NamedTuple):
    """One of these tables."""

    comment: str
    columns: dict[str, PlatformColumn]


def _columns(**columns: tuple[str, str, str]) -> dict[str, PlatformColumn]:
    return {
        name: PlatformColumn(type_, f"{meaning}. Technical: {computed}.")
        for name, (type_, meaning, computed) in columns.items()
    }


PLATFORM_TABLES = {
    "platform.source_status": PlatformTable(
        "What each look at a source found; the last row of a source is its state. "
        "Technical: one row per source and ingestion run, appended.",
        _columns(
            source=("string", "The source table", "name below the system catalog"),
            table_name=("string", "The bronze table that copies it", "two-part name"),
            status=("string", "Whether it could be read", "assessed, stale or not_assessed"),
            detail=("string", "Why it has this status", "NULL when there is nothing to say"),
            new_rows=("bigint", "How many rows this run brought", "rows inserted or updated"),
            row_count=("bigint", "How many rows bronze holds", "count after the run"),
            checked_at=("timestamp", "When it was looked at", "UTC"),
            source_position=("string", "How the source was", "version and time of its last commit"),
            table_position=("string", "How bronze was then", "version and time of its last commit"),
            definition_hash=("string", "How it was read", "hash; NULL when it could not be read"),
            high_water=("timestamp", "How far it was read", "last value of the watermark column"),
        ),
    ),
    "platform.expectation_results": PlatformTable(
        "How many rows each rule of silver looked at, and how many broke it. "
        "Technical: one row per rule and event of the silver pipeline's log that counts rows.",
        _columns(
            table_full_name=("string", "The silver table", "three-part name"),
            rule=("string", "The rule", "name of the expectation in the table's definition"),
            level=("string", "What becomes of a row that breaks it", "warn, drop or fail"),
            update_id=("string", "The update that checked it", "id of the pipeline's update"),
            checked_at=("timestamp", "When it was checked", "UTC time of the event"),
            records_checked=("bigint", "How many rows were looked at", "passed and failed"),
            records_failed=("bigint", "How many rows broke the rule", "failed records"),
        ),
    ),
    "platform.silver_batches": PlatformTable(
        "Whether every row that came to silver is either valid or set aside. "
        "Technical: one row per silver table and update that had news, from the event log.",
        _columns(
            table_full_name=("string", "The silver table", "three-part name"),
            update_id=("string", "The update that brought the rows", "id of the update"),
            checked_at=("timestamp", "When it was checked", "UTC time of the event"),
            rows_in=("bigint", "How many rows came", "checked by the table's flow"),
            rows_valid=("bigint", "How many broke no drop rule", "rows in minus dropped ones"),
            rows_quarantined=("bigint", "How many were set aside", "written by the other flow"),
            is_complete=("boolean", "Whether none is missing", "in = valid + quarantined"),
        ),
    ),
    "platform.quarantine_replays": PlatformTable(
        "Rows that were set aside and sent through silver again, because no rule refuses them now. "
        "Technical: one row per table and replay that moved rows, appended.",
        _columns(
            table_full_name=("string", "The silver table", "three-part name"),
            replayed_rows=("bigint", "How many rows went back", "count"),
            replayed_at=("timestamp", "When they went back", "UTC; their new ingested_at"),
        ),
    ),
    "platform.gold_watermarks": PlatformTable(
        "How far each gold table has read each of its feeds. "
        "Technical: one row per target and feed, merged after each refresh.",
        _columns(
            target=("string", "The gold table", "two-part name"),
            feed=("string", "The table that it reads", "two-part name"),
            feed_id=("string", "Which table that was", "Delta table id; another id means all anew"),
            feed_version=("bigint", "The version read last", "Delta version of the feed"),
            feed_committed_at=("timestamp", "When that version was written", "UTC, Delta history"),
            definition_hash=("string", "What was computed", "hash of query and parameters"),
            updated_at=("timestamp", "When it was read", "UTC"),
        ),
    ),
    "platform.check_results": PlatformTable(
        "What the checks of the runbooks found, every time that they were asked. "
        "Technical: one row per check and run of the runbook's job, appended.",
        _columns(
            runbook=("string", "The runbook that asked", "name of its job"),
            check_name=("string", "What was asked", "name of the check's definition"),
            status=("string", "How it ended", "ok, reported, failed or not_checked"),
            findings=("bigint", "How many findings there were", "rows; NULL when not checked"),
            detail=("string", "The first findings, in words", "lines; NULL without findings"),
            checked_at=("timestamp", "When it was asked", "UTC, the same for all of a run"),
        ),
    ),
    "platform.reconciliation": PlatformTable(
        "Whether each day's usage and cost in gold agree with the source. "
        "Technical: one row per usage_date, compared after each gold refresh.",
        _columns(
            usage_date=("date", "The day that is billed", "UTC date"),
            source_records=("bigint", "Records in bronze", "distinct record_id"),
            gold_records=("bigint", "Records in fact_usage", "count"),
            quarantined_records=("bigint", "Records set aside", "count in the quarantine table"),
            source_quantity=("decimal(38,18)", "Quantity in bronze", "sum, all record types"),
            gold_quantity=("decimal(38,18)", "Quantity in fact_usage", "sum, all record types"),
            quarantined_quantity=("decimal(38,18)", "Quantity set aside", "sum over quarantine"),
            gold_cost=("decimal(38,18)", "Cost in fact_usage", "sum of effective_cost"),
            attributed_cost=("decimal(38,18)", "Cost with a cause", "sum of attributed_cost"),
            shared_cost=("decimal(38,18)", "Cost without a cause", "attribution_class shared"),
            idle_cost=("decimal(38,18)", "Cost of idle compute", "sum of idle_cost"),
            summary_cost=("decimal(38,18)", "Cost in summary_cost", "sum of effective_cost"),
            unpriced_records=("bigint", "Records without a price", "price_status unpriced"),
            is_reconciled=("boolean", "Whether all of it agrees", "counts, quantities and costs"),
            checked_at=("timestamp", "When it was compared", "UTC"),
        ),
    ),
}
