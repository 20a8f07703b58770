"""The messages of Terraform's plugin protocol 6, as tables for the codec."""

from __future__ import annotations

from typing import Any

from emulator.provider import wire
from emulator.provider.wire import Field, Message

SERVICE = "tfplugin6.Provider"
_DIAGNOSTICS = "Diagnostic"

TABLES: dict[str, tuple[Field, ...]] = {
    "Empty": (),
    "DynamicValue": (Field(1, "msgpack", "bytes"), Field(2, "json", "bytes")),
    "Step": (
        Field(1, "attribute_name", "text"),
        Field(2, "element_key_string", "text"),
        Field(3, "element_key_int", "int"),
    ),
    "AttributePath": (Field(1, "steps", "Step", repeated=True),),
    "Diagnostic": (
        Field(1, "severity", "int"),
        Field(2, "summary", "text"),
        Field(3, "detail", "text"),
        Field(4, "attribute", "AttributePath"),
    ),
    "RawState": (Field(1, "json", "bytes"), Field(2, "flatmap", "text", map=True)),
    "Attribute": (
        Field(1, "name", "text"),
        Field(2, "type", "bytes"),
        Field(3, "description", "text"),
        Field(4, "required", "bool"),
        Field(5, "optional", "bool"),
        Field(6, "computed", "bool"),
        Field(7, "sensitive", "bool"),
        Field(10, "nested_type", "Object"),
    ),
    "Object": (Field(1, "attributes", "Attribute", repeated=True), Field(3, "nesting", "int")),
    "NestedBlock": (
        Field(1, "type_name", "text"),
        Field(2, "block", "Block"),
        Field(3, "nesting", "int"),
        Field(4, "min_items", "int"),
        Field(5, "max_items", "int"),
    ),
    "Block": (
        Field(1, "version", "int"),
        Field(2, "attributes", "Attribute", repeated=True),
        Field(3, "block_types", "NestedBlock", repeated=True),
    ),
    "Schema": (Field(1, "version", "int"), Field(2, "block", "Block")),
    "Capabilities": (
        Field(1, "plan_destroy", "bool"),
        Field(2, "get_provider_schema_optional", "bool"),
        Field(3, "move_resource_state", "bool"),
    ),
    "TypeName": (Field(1, "type_name", "text"),),
    "MetadataReply": (
        Field(1, "server_capabilities", "Capabilities"),
        Field(2, "diagnostics", _DIAGNOSTICS, repeated=True),
        Field(3, "data_sources", "TypeName", repeated=True),
        Field(4, "resources", "TypeName", repeated=True),
    ),
    "SchemaReply": (
        Field(1, "provider", "Schema"),
        Field(2, "resource_schemas", "Schema", map=True),
        Field(3, "data_source_schemas", "Schema", map=True),
        Field(4, "diagnostics", _DIAGNOSTICS, repeated=True),
        Field(6, "server_capabilities", "Capabilities"),
    ),
    "ProviderConfigRequest": (Field(1, "config", "DynamicValue"),),
    "ProviderConfigReply": (Field(2, "diagnostics", _DIAGNOSTICS, repeated=True),),
    "ConfigureRequest": (
        Field(1, "terraform_version", "text"),
        Field(2, "config", "DynamicValue"),
    ),
    "DiagnosticsReply": (Field(1, "diagnostics", _DIAGNOSTICS, repeated=True),),
    "ValidateRequest": (Field(1, "type_name", "text"), Field(2, "config", "DynamicValue")),
    "UpgradeRequest": (
        Field(1, "type_name", "text"),
        Field(2, "version", "int"),
        Field(3, "raw_state", "RawState"),
    ),
    "UpgradeReply": (
        Field(1, "upgraded_state", "DynamicValue"),
        Field(2, "diagnostics", _DIAGNOSTICS, repeated=True),
    ),
    "ReadRequest": (
        Field(1, "type_name", "text"),
        Field(2, "current_state", "DynamicValue"),
        Field(3, "private", "bytes"),
    ),
    "ReadReply": (
        Field(1, "new_state", "DynamicValue"),
        Field(2, "diagnostics", _DIAGNOSTICS, repeated=True),
        Field(3, "private", "bytes"),
    ),
    "PlanRequest": (
        Field(1, "type_name", "text"),
        Field(2, "prior_state", "DynamicValue"),
        Field(3, "proposed_new_state", "DynamicValue"),
        Field(4, "config", "DynamicValue"),
        Field(5, "prior_private", "bytes"),
    ),
    "PlanReply": (
        Field(1, "planned_state", "DynamicValue"),
        Field(2, "requires_replace", "AttributePath", repeated=True),
        Field(3, "planned_private", "bytes"),
        Field(4, "diagnostics", _DIAGNOSTICS, repeated=True),
        Field(5, "legacy_type_system", "bool"),
    ),
    "ApplyRequest": (
        Field(1, "type_name", "text"),
        Field(2, "prior_state", "DynamicValue"),
        Field(3, "planned_state", "DynamicValue"),
        Field(4, "config", "DynamicValue"),
        Field(5, "planned_private", "bytes"),
    ),
    "ApplyReply": (
        Field(1, "new_state", "DynamicValue"),
        Field(2, "private", "bytes"),
        Field(3, "diagnostics", _DIAGNOSTICS, repeated=True),
        Field(4, "legacy_type_system", "bool"),
    ),
    "ImportRequest": (Field(1, "type_name", "text"), Field(2, "id", "text")),
    "ImportedResource": (
        Field(1, "type_name", "text"),
        Field(2, "state", "DynamicValue"),
        Field(3, "private", "bytes"),
    ),
    "ImportReply": (
        Field(1, "imported_resources", "ImportedResource", repeated=True),
        Field(2, "diagnostics", _DIAGNOSTICS, repeated=True),
    ),
    "ReadDataReply": (
        Field(1, "state", "DynamicValue"),
        Field(2, "diagnostics", _DIAGNOSTICS, repeated=True),
    ),
    "StopReply": (Field(1, "error", "text"),),
}

# Method of the service: (request, reply).
METHODS = {
    "GetMetadata": ("Empty", "MetadataReply"),
    "GetProviderSchema": ("Empty", "SchemaReply"),
    "ValidateProviderConfig": ("ProviderConfigRequest", "ProviderConfigReply"),
    "ConfigureProvider": ("ConfigureRequest", "DiagnosticsReply"),
    "ValidateResourceConfig": ("ValidateRequest", "DiagnosticsReply"),
    "ValidateDataResourceConfig": ("ValidateRequest", "DiagnosticsReply"),
    "UpgradeResourceState": ("UpgradeRequest", "UpgradeReply"),
    "ReadResource": ("ReadRequest", "ReadReply"),
    "PlanResourceChange": ("PlanRequest", "PlanReply"),
    "ApplyResourceChange": ("ApplyRequest", "ApplyReply"),
    "ImportResourceState": ("ImportRequest", "ImportReply"),
    "ReadDataSource": ("ValidateRequest", "ReadDataReply"),
    "GetFunctions": ("Empty", "DiagnosticsReply"),
    "StopProvider": ("Empty", "StopReply"),
}


def encode(name: str, message: Message) -> bytes:
    return wire.encode(TABLES, name, message)


def decode(name: str, data: bytes) -> Message:
    return wire.decode(TABLES, name, data)


def attribute_path(steps: list[str | int]) -> Message:
    """A path into a resource: attribute names and list positions."""
    named: list[dict[str, Any]] = [
        {"attribute_name": s} if isinstance(s, str) else {"element_key_int": s} for s in steps
    ]
    return {"steps": named}
