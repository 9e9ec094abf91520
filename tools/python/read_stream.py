#!/usr/bin/env python3
"""Reads output files of hq (docs/stream-format.md) with nothing but Python: a proof that the format is open.

    read_stream.py FILE...                       one line of JSON for each data record, and for each damaged stretch
    read_stream.py FILE... cat JOB TASK CHANNEL  the bytes of a channel (0 or 1) of the newest instance
"""
import json
import struct
import subprocess
import sys
from typing import NamedTuple

RECORD = struct.Struct("<IBBBBIIIIqQQI")
DATA, BLOCK = 1, 2
TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def crc32c(data, before=0):
    crc = before ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Data(NamedTuple):
    job: int
    task: int
    instance: int
    channel: int
    flags: int
    time: int
    position: int
    data: bytes


class Damage(NamedTuple):
    offset: int
    length: int


def header_at(buffer, offset, salt):
    """The fields of an intact record header, or None."""
    if len(buffer) - offset < RECORD.size or buffer[offset + 4] != 0xE7:
        return None
    fields = RECORD.unpack_from(buffer, offset)
    check = crc32c(buffer[offset + 4:offset + RECORD.size], crc32c(struct.pack("<QQ", salt, offset)))
    return fields if fields[0] == check else None


def walk(buffer, offset, salt):
    """Data records and damaged stretches in the order of the file."""
    while offset < len(buffer):
        fields = header_at(buffer, offset, salt)
        if fields is None:
            begin = offset
            offset = next((at for at in range(begin + 1, len(buffer)) if header_at(buffer, at, salt)), len(buffer))
            yield Damage(begin, offset - begin)
            continue
        _, _, kind, channel, flags, job, task, instance, length, time, position, _, check = fields
        begin, offset = offset, offset + RECORD.size + length
        payload = bytes(buffer[begin + RECORD.size:offset])
        if len(payload) < length or crc32c(payload) != check:
            yield Damage(begin, min(offset, len(buffer)) - begin)
        elif kind == DATA:
            yield Data(job, task, instance, channel, flags, time, position, payload)
        elif kind == BLOCK:
            yield from walk(subprocess.run(["zstd", "-dc"], input=payload, capture_output=True, check=True).stdout, 0, salt)


def read(path):
    with open(path, "rb") as file:
        buffer = file.read()
    if buffer[:12] != b"hqsf0000HQO1" or struct.unpack_from("<I", buffer, 12)[0] != crc32c(buffer[16:64]):
        raise ValueError(f"{path} is not an output file of hq")
    return walk(buffer, 64, struct.unpack_from("<Q", buffer, 16)[0])


def main(args):
    cat = args.index("cat") if "cat" in args else len(args)
    records = [record for path in args[:cat] for record in read(path)]
    if cat == len(args):
        for record in records:
            print(json.dumps(record._asdict(), default=lambda data: data.decode("latin-1")))
        return
    job, task, channel = map(int, args[cat + 1:])
    data = [r for r in records if isinstance(r, Data) and (r.job, r.task) == (job, task)]
    newest = max((r.instance for r in data), default=0)
    for record in sorted((r for r in data if (r.instance, r.channel) == (newest, channel)), key=lambda r: r.position):
        sys.stdout.buffer.write(record.data)


if __name__ == "__main__":
    main(sys.argv[1:])
