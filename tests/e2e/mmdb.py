"""Writes a small MaxMind database (format specification 2.0): networks and what is known of them.

Run as a program it writes tests/data/geo/places.mmdb, which the unit tests read.
"""

import ipaddress
import pathlib
import struct
import sys

def uint16(number):
    return 5, number


MARKER = b"\xab\xcd\xefMaxMind.com"

PLACES = {
    "192.0.2.0/24": {
        "continent": {"code": "EU", "names": {"en": "Europe"}},
        "country": {"iso_code": "DE", "names": {"de": "Deutschland", "en": "Germany"}},
        "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
        "city": {"names": {"en": "Berlin"}},
        "postal": {"code": "10115"},
        "location": {"latitude": 52.5, "longitude": 13.375, "metro_code": uint16(7)},
    },
    "198.51.100.0/25": {"continent": {"code": "NA", "names": {"en": "North America"}}, "country": {"iso_code": "US", "names": {"en": "United States"}}},
    "127.0.0.0/8": {"country": {"iso_code": "XL"}},
    "2001:db8::/32": {"continent": {"code": "AS"}, "country": {"iso_code": "JP", "names": {"en": "Japan"}}},
    "203.0.113.7/32": {},
}  # fmt: skip


def control(kind, size):
    first = min(size, 29)
    extra = bytes([size - 29]) if size >= 29 else b""
    assert size < 285
    return (bytes([kind << 5 | first]) if kind <= 7 else bytes([first, kind - 7])) + extra


def encoded(value):
    if isinstance(value, str):
        return control(2, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return control(3, 8) + struct.pack(">d", value)
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encoded(key) + encoded(each) for key, each in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(encoded, value))
    kind, number = value  # the format has several sizes of numbers, and readers look for one
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return control(kind, len(digits)) + digits


def bits_of(network):
    network = ipaddress.ip_network(network)
    prefix = network.prefixlen + (96 if network.version == 4 else 0)
    return [int(network.network_address) >> (127 - at) & 1 for at in range(prefix)]


def database(places=PLACES, kind="Test-City"):
    nodes, data, leaves = [[None, None]], b"", {}
    for network, record in places.items():
        at, bits = 0, bits_of(network)
        for bit in bits[:-1]:
            if nodes[at][bit] is None:
                nodes[at][bit] = len(nodes)
                nodes.append([None, None])
            at = nodes[at][bit]
        leaves[at, bits[-1]] = len(data)
        data += encoded(record)
    count, tree = len(nodes), b""
    for number, node in enumerate(nodes):
        for bit in (0, 1):
            leaf = leaves.get((number, bit))
            value = count + 16 + leaf if leaf is not None else count if node[bit] is None else node[bit]
            tree += value.to_bytes(3, "big")
    metadata = {"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": (9, 1_700_000_000),
                "database_type": kind, "description": {"en": "places that exist in documentation"}, "ip_version": uint16(6),
                "languages": ["en"], "node_count": (6, count), "record_size": uint16(24)}  # fmt: skip
    return tree + bytes(16) + data + MARKER + encoded(metadata)


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parents[1] / "data" / "geo"
    folder.mkdir(exist_ok=True)
    (folder / (sys.argv[1] if len(sys.argv) > 1 else "places.mmdb")).write_bytes(database())
