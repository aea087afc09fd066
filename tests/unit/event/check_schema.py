#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_schema.py DUMP_RECORDS SCHEMA: what dump_records writes is valid, and says what went in.

Decodes values as docs/formats/record.md tells, and compares with the input that stands beside them.
Breaks good records in ways the schema must notice.
"""

import copy
import json
import math
import os
import re
import struct
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(1 if os.environ.get("SPYTHON_MUST_WORK") else 77)


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return dict(pairs)


def decode_escaped(text):
    return re.sub(
        r"\\(\\|u(d[89a-f][0-9a-f]{2}))",
        lambda m: "\\" if m[1] == "\\" else chr(int(m[2], 16)),
        text,
    )


def decode_bytes(text):
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1] == "\\":
            out += b"\\"
            at += 2
        else:
            assert text[at + 1] == "x", text
            out.append(int(text[at + 2 : at + 4], 16))
            at += 4
    return bytes(out)


def decode(value):
    """A value of a record as Python has it; only the forms that dump_records uses with an input."""
    if not isinstance(value, dict):
        return value
    if "escaped" in value:
        return decode_escaped(value["escaped"])
    if "bytes" in value:
        return decode_bytes(value["bytes"])
    if "int" in value:
        return int(value["int"], 16)
    return float(value["float"])


def expected(kind, data):
    if kind == "text1":
        return data.decode("latin-1")
    if kind == "text2":
        return "".join(chr(c) for (c,) in struct.iter_unpack("<H", data))
    if kind == "text4":
        return "".join(chr(c) for (c,) in struct.iter_unpack("<I", data))
    if kind == "utf8":
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
    if kind == "bytes":
        return data
    if kind in ("big", "negative"):
        return int.from_bytes(data, "little") * (-1 if kind == "negative" else 1)
    if kind == "int":
        return int.from_bytes(data, "little", signed=True)
    return struct.unpack("<d", data)[0]


def check_values(records):
    kinds = {}
    for record in records:
        args = record["args"]
        if record["event"] != "test.value":
            continue
        want = expected(args["kind"], bytes.fromhex(args["input"]))
        got = decode(args["value"])
        same = got == want or (isinstance(want, float) and math.isnan(want) and math.isnan(got))
        assert same and type(got) is type(want), (args, got, want)
        kinds[args["kind"]] = kinds.get(args["kind"], 0) + 1
    assert len(kinds) == 9 and min(kinds.values()) > 10, kinds


def broken(record):
    """Copies of a good record with one mistake each."""

    def change(**members):
        other = copy.deepcopy(record)
        other.update(members)
        return other

    for name in ("v", "ts", "seq", "session", "pid", "tid", "host", "uid", "event", "args", "level",
                 "verdict", "noise", "id"):
        yield {k: v for k, v in record.items() if k != name}
    yield change(surprise=1)
    yield change(v=2)
    yield change(ts="2026-11-22T20:03:36Z")
    yield change(level="info")
    yield change(verdict="allowed")
    yield change(claimed=False)
    yield change(cut=False)
    yield change(session="C0FFEE0123456789")
    yield change(id="c0ffee0123456789")
    yield change(uid=-1)
    yield change(rules=[])
    yield change(stack=[])
    yield change(at={"file": "/a.py"})
    yield change(at={"file": "/a.py", "func": "f", "line": 0})
    yield change(at={"file": "/a.py", "func": "f", "column": 1})
    yield change(source={"sha256": "aa", "length": 1})
    yield change(args_total=30)
    yield change(args=[1])
    for value in (
        {},
        {"text": "x"},
        {"text": "x", "cut": True},
        {"text": "x", "length": 1, "cut": False},
        {"text": "x", "bytes": "x", "type": "S"},
        {"bytes": 1},
        {"int": "12"},
        {"float": "NaN"},
        {"type": "a.B"},
        {"type": "a.B", "id": "7f00"},
        {"items": []},
        {"map": {"a": 1}},
        {"map": [[1]]},
        {"names": ["A"]},
        {"redacted": False},
        {"redacted": True, "value": "x"},
        {"code": {"name": "f"}},
        [{"text": "x"}],
    ):
        yield change(args={"value": value})
    yield change(event="spython.loss", args={"sink": "file"})
    yield change(event="spython.stop", args={})
    yield change(event="spython.warning", args={})


def main():
    dump, schema_path = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = subprocess.run([dump], stdout=subprocess.PIPE, check=True).stdout
    assert data.endswith(b"\n")
    records = [json.loads(line, object_pairs_hook=no_duplicates) for line in data[:-1].split(b"\n")]
    for record in records:
        validator.validate(record)
    assert sum("cut" in record for record in records) > 20
    check_values(records)
    good = dict(records[0], args={"value": "x"})
    validator.validate(good)
    count = 0
    for record in broken(good):
        assert not validator.is_valid(record), record
        count += 1
    print(f"{len(records)} records, {count} broken ones")


if __name__ == "__main__":
    main()
