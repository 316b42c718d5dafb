"""The framing of AWS event streams (`application/vnd.amazon.eventstream`).

A message is: its length and that of its headers, a checksum of both, the headers, the payload, a checksum of it all.
"""

import json
import struct
from binascii import crc32
from typing import Any

_STRING = 7


def encode(kind: str, payload: Any, *, message: str = "event") -> bytes:
    """Write one message. `message` is `event` or `exception`; `kind` names which one."""
    headers = b"".join(
        [
            _header(":message-type", message),
            _header(f":{message}-type", kind),
            _header(":content-type", "application/json"),
        ]
    )
    body = json.dumps(payload).encode()
    # 16 bytes: two lengths and two checksums.
    prelude = struct.pack("!II", len(headers) + len(body) + 16, len(headers))
    framed = prelude + struct.pack("!I", crc32(prelude)) + headers + body
    return framed + struct.pack("!I", crc32(framed))


def _header(name: str, value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _STRING, len(encoded)) + encoded
