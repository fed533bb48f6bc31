"""Writes checkpoints as TensorFlow does, byte by byte.

Protocol Buffers, LevelDB's table format and both of TensorFlow's layouts, from
their published descriptions; its own slow checksum, not the package's.
"""

import functools
import struct

import numpy as np


@functools.lru_cache(256)
def _byte(crc):
    for _ in range(8):
        crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def checksum(data):
    """The masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in bytes(data):
        crc = _byte((crc ^ byte) & 0xFF) ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape(dimensions):
    return b''.join(field(2, field(1, int(n))) for n in dimensions)


def block(entries, restart=16):
    out, restarts, last = bytearray(), [], b''
    for i, (key, value) in enumerate(entries):
        shared = 0
        if i % restart == 0:
            restarts.append(len(out))
        else:
            while key[: shared + 1] == last[: shared + 1] and shared < len(key):
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    restarts = restarts or [0]
    for place in (*restarts, len(restarts)):
        out += struct.pack('<I', place)
    return bytes(out)


def table(entries, per_block=3, compression=0):
    """A table of sorted (key, value), a few to a block."""
    out, index = bytearray(), []

    def add(content):
        handle = varint(len(out)) + varint(len(content))
        stored = content + bytes([compression])
        out.extend(stored + struct.pack('<I', checksum(stored)))
        return handle

    entries = sorted(entries)
    for start in range(0, len(entries), per_block):
        part = entries[start : start + per_block]
        index.append((part[-1][0], add(block(part))))
    meta = add(block([]))
    handles = meta + add(block(index))
    footer = handles.ljust(40, b'\0') + struct.pack('<Q', 0xDB4775248B80FB57)
    return bytes(out) + footer


_DTYPES = {'float32': 1, 'float64': 2, 'int64': 9}


def write_v2(prefix, tensors, shards=1):
    """Writes PREFIX.index and PREFIX.data-...; tensors go round the shards."""
    data = [bytearray() for _ in range(shards)]
    version = field(3, field(1, 1))
    entries = [(b'', field(1, shards) + field(2, 0) + version)]
    for i, (name, value) in enumerate(sorted(tensors.items())):
        raw = np.ascontiguousarray(value).tobytes()
        shard = i % shards
        entry = field(1, _DTYPES[str(value.dtype)])
        entry += field(2, shape(value.shape)) + field(3, shard)
        entry += field(4, len(data[shard])) + field(5, len(raw))
        entry += varint(6 << 3 | 5) + struct.pack('<I', checksum(raw))
        data[shard] += raw
        entries.append((name.encode(), entry))
    prefix.with_name(prefix.name + '.index').write_bytes(table(entries))
    for i, content in enumerate(data):
        name = f'{prefix.name}.data-{i:05d}-of-{shards:05d}'
        prefix.with_name(name).write_bytes(content)
    return prefix


def write_v1(path, tensors):
    """Writes one file; numbers are packed lists, as TensorFlow writes them."""
    meta = b''
    entries = []
    for name, value in sorted(tensors.items()):
        whole = b''.join(field(1, b'') for _ in value.shape)
        meta += field(
            1,
            field(1, name.encode())
            + field(2, shape(value.shape))
            + field(3, _DTYPES[str(value.dtype)])
            + field(4, whole),
        )
        raw = np.ascontiguousarray(value).tobytes()
        number = {'float32': 5, 'float64': 6, 'int64': 10}[str(value.dtype)]
        if number == 10:
            raw = b''.join(varint(int(n)) for n in value.ravel())
        numbers = field(number, raw)
        slice_ = field(1, name.encode()) + field(2, whole) + field(3, numbers)
        key = b'\0' + name.encode() + b'\0\1'
        entries.append((key, field(2, slice_)))
    entries.append((b'', field(1, meta + field(2, field(1, 1)))))
    path.write_bytes(table(entries))
    return path
