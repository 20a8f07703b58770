"""How an export's types relate to the declared ones: what fits, what is new, what both have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

TIMESTAMP = pa.timestamp("us", tz="UTC")
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_UNSIGNED = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}


def normal(type_: pa.DataType) -> pa.DataType:
    """The type that Spark would read it as; ValueError when Spark has none."""
    if pt.is_dictionary(type_):
        return normal(type_.value_type)
    if pt.is_large_string(type_) or type_ == pa.string_view() or pt.is_null(type_):
        return pa.string()
    if pt.is_large_binary(type_) or pt.is_fixed_size_binary(type_):
        return pa.binary()
    if pt.is_timestamp(type_):
        return TIMESTAMP
    if pt.is_date(type_):
        return pa.date32()
    if pt.is_decimal(type_) and type_.precision <= 38:
        return pa.decimal128(type_.precision, type_.scale)
    if pt.is_struct(type_):
        return pa.struct([(field.name, normal(field.type)) for field in type_])
    if pt.is_map(type_):
        return pa.map_(normal(type_.key_type), normal(type_.item_type))
    if pt.is_list(type_) or pt.is_large_list(type_) or pt.is_fixed_size_list(type_):
        return pa.list_(normal(type_.value_type))
    if type_ in _UNSIGNED:
        return _UNSIGNED[type_]
    simple = (pa.string(), pa.binary(), pa.bool_(), pa.float32(), pa.float64(), *_INTEGERS)
    if type_ in simple:
        return type_
    raise ValueError(f"type {type_} has no counterpart in Spark")


def misfits(found: pa.DataType, wanted: pa.DataType, path: str) -> Iterator[str]:
    """Why values of one type would not survive as another: ``path: what``, none if they do."""
    if pt.is_null(found) or found == wanted:
        return
    if pt.is_struct(found) and pt.is_struct(wanted):
        wanted_types = {field.name: field.type for field in wanted}
        for field in found:
            if field.name in wanted_types:
                yield from misfits(field.type, wanted_types[field.name], f"{path}.{field.name}")
    elif pt.is_map(found) and pt.is_map(wanted):
        yield from misfits(found.key_type, wanted.key_type, f"{path}.key")
        yield from misfits(found.item_type, wanted.item_type, f"{path}.value")
    elif _is_list(found) and pt.is_list(wanted):
        yield from misfits(found.value_type, wanted.value_type, f"{path}.element")
    elif not _fits(found, wanted):
        yield f"{path} is {found}, expected {_name(wanted)}"


def extended(base: pa.DataType, found: pa.DataType) -> pa.DataType:
    """``base`` with the fields that only ``found`` has, at its end."""
    if pt.is_struct(base) and pt.is_struct(found):
        known = {field.name: field.type for field in base}
        new = {field.name: field.type for field in found}
        grown = [(n, extended(t, new[n]) if n in new else t) for n, t in known.items()]
        return pa.struct(grown + [(n, normal(t)) for n, t in new.items() if n not in known])
    if pt.is_list(base) and _is_list(found):
        return pa.list_(extended(base.value_type, found.value_type))
    return base


def common(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """What both have, in the order of the first."""
    if pt.is_struct(first) and pt.is_struct(second):
        other = {field.name: field.type for field in second}
        return pa.struct(
            [(f.name, common(f.type, other[f.name])) for f in first if f.name in other]
        )
    if pt.is_list(first) and _is_list(second):
        return pa.list_(common(first.value_type, second.value_type))
    return first


def is_readable_as(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether the values are what ``wanted`` has, but for fields that they lack."""
    if pt.is_struct(found) and pt.is_struct(wanted):
        types = {field.name: field.type for field in wanted}
        return all(f.name in types and is_readable_as(f.type, types[f.name]) for f in found)
    if pt.is_list(found) and pt.is_list(wanted):
        return is_readable_as(found.value_type, wanted.value_type)
    if pt.is_map(found) and pt.is_map(wanted):
        keys = is_readable_as(found.key_type, wanted.key_type)
        return keys and is_readable_as(found.item_type, wanted.item_type)
    return bool(found == wanted)


def filled(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Values that are readable as a type, with NULL in the fields that they lack."""
    if array.type == type_:
        return array
    if pt.is_struct(type_):
        names = (field.name for field in array.type)
        own = dict(zip(names, array.flatten(), strict=True))
        children = [
            filled(own[field.name], field.type)
            if field.name in own
            else pa.nulls(len(array), field.type)
            for field in type_
        ]
        return pa.StructArray.from_arrays(children, fields=list(type_), mask=array.is_null())
    if pt.is_list(type_):
        elements = filled(array.flatten(), type_.value_type)
        offsets = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), 0)).cast(pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), offsets])
        return pa.ListArray.from_arrays(offsets, elements, type=type_, mask=array.is_null())
    return array.cast(type_)


def new_fields(base: pa.DataType, grown: pa.DataType, path: str = "") -> Iterator[str]:
    """The dotted names of the fields that ``grown`` has and ``base`` lacks."""
    if pt.is_struct(grown) and pt.is_struct(base):
        known = {field.name: field.type for field in base}
        for field in grown:
            name = f"{path}.{field.name}" if path else field.name
            if field.name in known:
                yield from new_fields(known[field.name], field.type, name)
            else:
                yield name
    elif pt.is_list(grown) and pt.is_list(base):
        yield from new_fields(base.value_type, grown.value_type, f"{path}.element")


def without(type_: pa.DataType, paths: frozenset[str], path: str = "") -> pa.DataType:
    """``type_`` without the fields of these dotted names (as ``new_fields`` gives them)."""
    if pt.is_struct(type_):
        named = [(f"{path}.{field.name}" if path else field.name, field) for field in type_]
        return pa.struct(
            [(f.name, without(f.type, paths, name)) for name, f in named if name not in paths]
        )
    if pt.is_list(type_):
        return pa.list_(without(type_.value_type, paths, f"{path}.element"))
    return type_


def row_type(schema: Iterable[pa.Field]) -> pa.DataType:
    """A schema as one struct type."""
    return pa.struct(list(schema))


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value survives; money never comes from floats, nor dates from text."""
    if pt.is_dictionary(found):
        return _fits(found.value_type, wanted)
    if pt.is_decimal(wanted):
        if pt.is_integer(found):
            return True
        small = pt.is_decimal(found) and found.scale <= wanted.scale
        return bool(small and found.precision - found.scale <= wanted.precision - wanted.scale)
    if pt.is_timestamp(wanted):
        return bool(pt.is_timestamp(found))
    if pt.is_integer(wanted):
        return bool(pt.is_integer(found))
    if pt.is_floating(wanted):
        return bool(pt.is_floating(found) or pt.is_integer(found))
    try:
        return bool(normal(found) == wanted)
    except ValueError:
        return False


def _is_list(type_: pa.DataType) -> bool:
    return bool(pt.is_list(type_) or pt.is_large_list(type_) or pt.is_fixed_size_list(type_))


def _name(type_: pa.DataType) -> str:
    if pt.is_timestamp(type_):
        return "timestamp"
    if pt.is_map(type_):
        return f"map<{_name(type_.key_type)},{_name(type_.item_type)}>"
    if pt.is_struct(type_):
        return "struct" if type_.num_fields > 4 else str(type_)
    return str(type_)
