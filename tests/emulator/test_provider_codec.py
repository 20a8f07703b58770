"""The protocol's wire format, Terraform's values, and the schemas read from the binding."""

from __future__ import annotations

import json

import msgpack
import pytest

from emulator.provider import messages, values, wire
from emulator.provider.binding import binding_archive, read_schemas
from emulator.provider.bundle import is_legacy
from emulator.provider.schema import Node, block_message, type_of
from emulator.provider.values import UNKNOWN
from emulator.provider.wire import Field

TABLES = {
    "Inner": (Field(1, "text", "text"),),
    "Outer": (
        Field(1, "count", "int"),
        Field(2, "flag", "bool"),
        Field(3, "items", "Inner", repeated=True),
        Field(4, "named", "Inner", map=True),
        Field(16, "raw", "bytes"),
    ),
}


def test_bytes_are_those_of_the_protocol_buffers_specification() -> None:
    assert wire.encode(TABLES, "Outer", {"count": 150}) == bytes.fromhex("089601")
    assert wire.encode(TABLES, "Inner", {"text": "testing"}) == b"\x0a\x07testing"
    assert wire.encode(TABLES, "Outer", {"count": -1}) == b"\x08" + b"\xff" * 9 + b"\x01"
    assert wire.encode(TABLES, "Outer", {"raw": b"x"}) == b"\x82\x01\x01x"


def test_a_message_survives_the_wire() -> None:
    message = {
        "count": -7,
        "flag": True,
        "items": [{"text": "a"}, {}],
        "named": {"b": {"text": "ü"}, "a": {}},
        "raw": b"\x00\xff" * 200,
    }
    assert wire.decode(TABLES, "Outer", wire.encode(TABLES, "Outer", message)) == message


def test_fields_that_the_table_does_not_name_are_skipped() -> None:
    unknown = b"\x9a\x06\x02hi" + b"\xa0\x06\x05" + b"\xad\x06\x00\x00\x80\x3f"
    assert wire.decode(TABLES, "Outer", unknown + b"\x08\x02") == {"count": 2}


def test_every_message_that_a_method_names_is_in_the_table() -> None:
    for request, reply in messages.METHODS.values():
        assert request in messages.TABLES and reply in messages.TABLES
    for fields in messages.TABLES.values():
        kinds = {field.kind for field in fields} - {"int", "bool", "text", "bytes"}
        assert kinds <= messages.TABLES.keys()


NODE = Node(
    "object",
    fields={
        "size": Node("number"),
        "tags": Node("map", Node("string")),
        "names": Node("set", Node("string")),
        "part": Node("list", Node("object", fields={"on": Node("bool")}), block=True, single=True),
    },
)


def test_values_keep_numbers_exact_and_blocks_never_null() -> None:
    sent = msgpack.packb({"size": "0.1", "tags": None, "names": ["b", "a"], "part": None})
    value = values.decode(NODE, sent)
    assert value == {"size": 0.1, "tags": None, "names": ["b", "a"], "part": []}
    assert msgpack.unpackb(values.encode(NODE, value))["size"] == "0.1"
    assert msgpack.unpackb(values.encode(NODE, {"size": 3.0}))["size"] == "3"


@pytest.mark.parametrize("extension", [0, 12])
def test_any_extension_is_an_unknown_value(extension: int) -> None:
    sent = msgpack.packb({"size": msgpack.ExtType(extension, b"\x81\x01\xc2")})
    value = values.decode(NODE, sent)
    assert value["size"] is UNKNOWN
    back = msgpack.unpackb(values.encode(NODE, value))
    assert back["size"] == msgpack.ExtType(0, b"\x00")


def test_sets_are_equal_in_any_order_and_lists_are_not() -> None:
    names = Node("set", Node("string"))
    assert values.same(names, ["a", "b"], ["b", "a"])
    assert not values.same(Node("list", Node("string")), ["a", "b"], ["b", "a"])


@pytest.fixture(scope="module")
def schemas() -> dict[str, Node]:
    return read_schemas(binding_archive(), ["alert-v2", "grants", "job", "sql-endpoint"])


def test_schemas_say_who_may_set_what(schemas: dict[str, Node]) -> None:
    endpoint = schemas["sql-endpoint"].fields
    assert endpoint["name"].required and not endpoint["name"].computed
    assert endpoint["enable_serverless_compute"].optional
    assert endpoint["enable_serverless_compute"].computed
    assert endpoint["jdbc_url"].computed and not endpoint["jdbc_url"].settable
    assert endpoint["max_num_clusters"].kind == "number"


def test_schemas_tell_blocks_from_nested_attributes(schemas: dict[str, Node]) -> None:
    job, alert = schemas["job"].fields, schemas["alert-v2"].fields
    assert job["task"].kind == "list" and job["task"].block and not job["task"].single
    assert job["queue"].single
    nested = job["task"].inner.fields["for_each_task"].inner.fields["task"]
    assert nested.block and nested.inner.fields["notebook_task"].single
    assert alert["evaluation"].kind == "object" and alert["evaluation"].nested
    assert not alert["evaluation"].block
    assert is_legacy(schemas["job"]) and not is_legacy(schemas["alert-v2"])
    privileges = schemas["grants"].fields["grant"].inner.fields["privileges"]
    assert type_of(privileges) == ["set", "string"]


def test_no_block_demands_a_minimum(schemas: dict[str, Node]) -> None:
    grants = block_message(schemas["grants"])
    (block,) = grants["block_types"]
    assert block["type_name"] == "grant" and "min_items" not in block
    types = {a["name"]: a.get("type") for a in grants["attributes"]}
    assert json.loads(types["schema"] or b"") == "string"
