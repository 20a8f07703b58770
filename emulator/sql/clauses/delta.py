"""What a Delta table's log tells: its history, its details, how many rows; else Spark is asked."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import types as T

from emulator.sql.delta_log import Action, DeltaLog, Description, tells_other_times
from emulator.sql.names import quote
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Rows
from emulator.sql.records import Table
from emulator.sql.tokens import Edits

# The name is the third token of both statements.
_NAME = 2
_TEXT, _NUMBER, _TIME = T.StringType(), T.LongType(), T.TimestampType()
_TEXTS, _LIST = T.MapType(_TEXT, _TEXT), T.ArrayType(_TEXT)


def _schema(**types: T.DataType) -> T.StructType:
    return T.StructType([T.StructField(name, type_) for name, type_ in types.items()])


_HISTORY = _schema(
    version=_NUMBER,
    timestamp=_TIME,
    userId=_TEXT,
    userName=_TEXT,
    operation=_TEXT,
    operationParameters=_TEXTS,
    job=_schema(
        jobId=_TEXT,
        jobName=_TEXT,
        jobRunId=_TEXT,
        runId=_TEXT,
        jobOwnerId=_TEXT,
        triggerType=_TEXT,
    ),
    notebook=_schema(notebookId=_TEXT),
    clusterId=_TEXT,
    readVersion=_NUMBER,
    isolationLevel=_TEXT,
    isBlindAppend=T.BooleanType(),
    operationMetrics=_TEXTS,
    userMetadata=_TEXT,
    engineInfo=_TEXT,
)
_DETAIL = _schema(
    format=_TEXT,
    id=_TEXT,
    name=_TEXT,
    description=_TEXT,
    location=_TEXT,
    createdAt=_TIME,
    lastModified=_TIME,
    partitionColumns=_LIST,
    clusteringColumns=_LIST,
    numFiles=_NUMBER,
    sizeInBytes=_NUMBER,
    properties=_TEXTS,
    minReaderVersion=T.IntegerType(),
    minWriterVersion=T.IntegerType(),
    tableFeatures=_LIST,
)
_COUNT = T.StructType([T.StructField("count(1)", T.LongType(), nullable=False)])


def describe_history(match: Match, context: Context) -> Plan:
    """DESCRIBE HISTORY <name> [LIMIT <n>]: the last versions, the newest first."""
    table = _delta_table(match, context)
    if table is None or tells_other_times(table.properties):
        return _left_to_spark(match)
    log = DeltaLog(str(table.storage_location))
    wanted = _limit(match, len(log.versions))
    if wanted is None or not log.holds_last(wanted):
        return _left_to_spark(match)
    versions = sorted(log.versions, reverse=True)[:wanted]
    return Plan(rows=Rows(_HISTORY, [_version(log, version) for version in versions]))


def describe_detail(match: Match, context: Context) -> Plan:
    """DESCRIBE DETAIL <name>: one row."""
    table = _delta_table(match, context)
    if table is None or match.end < len(match.statement):
        return _left_to_spark(match)
    log = DeltaLog(str(table.storage_location))
    found = log.describe()
    if found is None:
        return _left_to_spark(match)
    return Plan(rows=Rows(_DETAIL, [_detail(table, log, found)]))


def count_rows(match: Match, context: Context) -> Plan:
    """SELECT COUNT(*) FROM <name>, and no more: known without a look at the rows."""
    # A name of one part may be a temporary view or the query's own.
    is_whole = match.end == len(match.statement) and len(match.name) > 1
    table = _delta_table(match, context) if is_whole else None
    rows = DeltaLog(str(table.storage_location)).rows() if table else None
    if rows is None:
        return Plan(sql=[match.statement.text])
    return Plan(rows=Rows(_COUNT, [(rows,)]))


def _left_to_spark(match: Match) -> Plan:
    """Delta's own parser takes a word such as ``history`` for a keyword unless it is quoted."""
    edits = Edits(match.statement)
    edits.replace(_NAME, match.end, ".".join(quote(part) for part in match.name))
    return Plan(sql=[edits.apply()])


def _delta_table(match: Match, context: Context) -> Table | None:
    table = context.metadata.table(context.name(match.name))
    is_delta = table is not None and not table.is_view and table.data_source_format == "DELTA"
    return table if is_delta else None


def _limit(match: Match, otherwise: int) -> int | None:
    """How many versions are asked for; None if the statement says more than that."""
    statement, end = match.statement, match.end
    if end == len(statement):
        return otherwise
    number = statement.word(end + 1)
    if statement.word(end) == "LIMIT" and end + 2 == len(statement) and number.isdigit():
        return int(number)
    return None


def _version(log: DeltaLog, version: int) -> tuple[object, ...]:
    found: Action = next((a["commitInfo"] for a in log.actions(version) if "commitInfo" in a), {})
    said = {**found, "version": version, "timestamp": log.committed_at(version)}
    return tuple(said.get(field.name) for field in _HISTORY.fields)


def _detail(table: Table, log: DeltaLog, found: Description) -> tuple[object, ...]:
    files = log.files
    metadata = found.metadata
    said = {
        "format": "delta",
        "id": metadata["id"],
        "name": table.full_name,
        "description": metadata.get("description"),
        "location": table.storage_location,
        "createdAt": datetime.fromtimestamp(metadata["createdTime"] / 1000, UTC),
        "lastModified": log.committed_at(log.latest),
        "partitionColumns": metadata["partitionColumns"],
        "clusteringColumns": list(found.clustering),
        "numFiles": len(files),
        "sizeInBytes": sum(add["size"] for add in files),
        "properties": found.properties,
        "minReaderVersion": found.protocol["minReaderVersion"],
        "minWriterVersion": found.protocol["minWriterVersion"],
        "tableFeatures": found.features,
    }
    return tuple(said[field.name] for field in _DETAIL.fields)
