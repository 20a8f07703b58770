"""Protocol buffers by table: the few message forms that Terraform's plugin protocol needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Message = dict[str, Any]

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field; ``kind`` is int, bool, text, bytes, or the name of a message."""

    number: int
    name: str
    kind: str
    repeated: bool = False
    map: bool = False


Tables = Mapping[str, tuple[Field, ...]]


def varint(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(tables: Tables, name: str, message: Message) -> bytes:
    """Encode a message; absent and default values take no bytes, as in proto3."""
    parts: list[bytes] = []
    for field in tables[name]:
        value = message.get(field.name)
        if not value and not isinstance(value, dict):
            continue
        if field.map:
            for key in sorted(value):
                entry = _one(tables, Field(1, "", "text"), key)
                entry += _one(tables, Field(2, "", field.kind), value[key])
                parts.append(varint(field.number << 3 | _DELIMITED) + varint(len(entry)) + entry)
        elif field.repeated:
            parts.extend(_one(tables, field, item) for item in value)
        else:
            parts.append(_one(tables, field, value))
    return b"".join(parts)


def _one(tables: Tables, field: Field, value: Any) -> bytes:
    if field.kind in ("int", "bool"):
        return varint(field.number << 3 | _VARINT) + varint(int(value))
    data: bytes
    if field.kind == "text":
        data = value.encode()
    elif field.kind == "bytes":
        data = value
    else:
        data = encode(tables, field.kind, value)
    return varint(field.number << 3 | _DELIMITED) + varint(len(data)) + data


def decode(tables: Tables, name: str, data: bytes) -> Message:
    """Decode a message; fields that the table does not name are skipped."""
    fields = {field.number: field for field in tables[name]}
    message: Message = {}
    for number, raw in _raw_fields(data):
        field = fields.get(number)
        if field is None:
            continue
        value = _value(tables, field, raw)
        if field.map:
            message.setdefault(field.name, {})[value[0]] = value[1]
        elif field.repeated:
            message.setdefault(field.name, []).append(value)
        else:
            message[field.name] = value
    return message


def _value(tables: Tables, field: Field, raw: int | bytes) -> Any:
    if isinstance(raw, int):
        return bool(raw) if field.kind == "bool" else raw - (raw >> 63 << 64)
    if field.map:
        entry = dict(_raw_fields(raw))
        key = entry.get(1, b"")
        value = _value(tables, Field(2, "", field.kind), entry.get(2, b""))
        return (key.decode() if isinstance(key, bytes) else str(key), value)
    if field.kind == "text":
        return raw.decode()
    if field.kind == "bytes":
        return raw
    return decode(tables, field.kind, raw)


def _raw_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        form = tag & 7
        if form == _VARINT:
            number, position = _read_varint(data, position)
            yield tag >> 3, number
            continue
        if form == _DELIMITED:
            size, position = _read_varint(data, position)
        elif form in (_FIXED32, _FIXED64):
            size = 4 if form == _FIXED32 else 8
        else:
            raise ValueError(f"wire form {form} is not used by this protocol")
        yield tag >> 3, data[position : position + size]
        position += size


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
