"""CRC-32C (Castagnoli), fast enough for large files.

A CRC is linear over bits, so a long text is cut into lanes whose CRCs are
computed side by side with NumPy and then joined.
"""

import numpy as np

_POLYNOMIAL = 0x82F63B78  # Of RFC 3720, lowest bit first.
_LANES = 2**14
_CHUNK = 2**26  # Bytes at once.


def _make_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        odd = (table & 1).astype(bool)
        table = np.where(odd, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


_TABLE = _make_table()


def crc32c(data: bytes | memoryview) -> int:
    """Returns the CRC-32C of bytes."""
    data = np.frombuffer(data, np.uint8)
    crc = 0xFFFFFFFF
    for start in range(0, len(data), _CHUNK):
        part = data[start : start + _CHUNK]
        crc = int(_advance(np.array([crc], np.uint32), len(part))[0])
        crc ^= _linear(part)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """Returns a CRC as LevelDB and TensorFlow store it."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _linear(data: np.ndarray) -> int:
    """The CRC that begins with 0 and is not inverted; [n] uint8."""
    lanes = _LANES
    while lanes > 1 and lanes * 8 > len(data):
        lanes //= 2
    length = -(-len(data) // lanes)
    # Zeros in front change nothing.
    padded = np.zeros(lanes * length, np.uint8)
    padded[len(padded) - len(data) :] = data
    columns = np.ascontiguousarray(padded.reshape(lanes, length).T)
    crcs = np.zeros(lanes, np.uint32)
    for column in columns:
        crcs = _TABLE[(crcs ^ column) & 0xFF] ^ (crcs >> 8)
    while len(crcs) > 1:
        crcs = _advance(crcs[0::2], length) ^ crcs[1::2]
        length *= 2
    return int(crcs[0])


def _advance(crcs: np.ndarray, zeros: int) -> np.ndarray:
    """Returns the linear CRCs after as many bytes of zeros."""
    # What one byte does to each bit.
    operator = np.uint32(1) << np.arange(32, dtype=np.uint32)
    operator = _TABLE[operator & 0xFF] ^ (operator >> 8)
    while zeros:
        if zeros & 1:
            crcs = _apply(operator, crcs)
        operator = _apply(operator, operator)
        zeros >>= 1
    return crcs


def _apply(operator: np.ndarray, crcs: np.ndarray) -> np.ndarray:
    result = np.zeros_like(crcs)
    for bit in range(32):
        result ^= operator[bit] * ((crcs >> np.uint32(bit)) & np.uint32(1))
    return result
