"""Protobuf classes for the parts of a span that the exporter reads, in a pool of their own.

They are compatible on the wire with opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto, but made
for reading fast:

* Attributes, events and lists are `bytes`, so that each is parsed by whoever wants it, if anybody does. An attribute
  that nobody wants, such as a prompt, is never read, and one that was met before is found by its bytes.
* Fields that nobody wants are absent, and texts are `bytes`, so that a text that is no UTF-8 costs only itself.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

_PACKAGE = "llmlab.otlp"

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "AnyValue": {
        "string_value": (1, "bytes"),
        "bool_value": (2, "bool"),
        "int_value": (3, "int64"),
        "double_value": (4, "double"),
        "array_value": (5, "bytes"),
        "kvlist_value": (6, "bytes"),
        "bytes_value": (7, "bytes"),
    },
    "KeyValue": {"key": (1, "bytes"), "value": (2, "AnyValue")},
    "Resource": {"attributes": (1, "repeated bytes")},
    "InstrumentationScope": {"name": (1, "bytes"), "version": (2, "bytes")},
    "Span": {
        "trace_id": (1, "bytes"),
        "span_id": (2, "bytes"),
        "trace_state": (3, "bytes"),
        "parent_span_id": (4, "bytes"),
        "name": (5, "bytes"),
        "kind": (6, "int32"),
        "start_time_unix_nano": (7, "fixed64"),
        "end_time_unix_nano": (8, "fixed64"),
        "attributes": (9, "repeated bytes"),
        "events": (11, "repeated bytes"),
        "status": (15, "bytes"),
    },
    "Event": {"time_unix_nano": (1, "fixed64"), "name": (2, "bytes"), "attributes": (3, "repeated bytes")},
    "Status": {"code": (3, "int32")},
}
_ONEOFS = {"AnyValue": "value"}

_SCALARS = {
    "bool": Field.TYPE_BOOL,
    "bytes": Field.TYPE_BYTES,
    "double": Field.TYPE_DOUBLE,
    "fixed64": Field.TYPE_FIXED64,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="llmlab/otlp.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        if name in _ONEOFS:
            message.oneof_decl.add(name=_ONEOFS[name])
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number, **_type(kind))
            if name in _ONEOFS:
                field.oneof_index = 0
    return file


def _type(kind: str) -> dict[str, Any]:
    name = kind.removeprefix("repeated ")
    label = Field.LABEL_OPTIONAL if name == kind else Field.LABEL_REPEATED
    if name in _SCALARS:
        return {"label": label, "type": _SCALARS[name]}
    return {"label": label, "type": Field.TYPE_MESSAGE, "type_name": f".{_PACKAGE}.{name}"}


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


AnyValue = _class("AnyValue")
Event = _class("Event")
InstrumentationScope = _class("InstrumentationScope")
KeyValue = _class("KeyValue")
Resource = _class("Resource")
Span = _class("Span")
Status = _class("Status")
