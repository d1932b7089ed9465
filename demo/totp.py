#!/usr/bin/env python3
"""What an authenticator app shows for a key (RFC 6238), for who has no phone at hand: totp.py 'ABCD EFGH …'"""

import base64
import hmac
import sys
import time


def code(key, moment):
    text = "".join(key.split()).upper()
    if not text:
        raise ValueError("no key")
    digest = hmac.digest(base64.b32decode(text + "=" * (-len(text) % 8)), int(moment // 30).to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start:start + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


if __name__ == "__main__":
    try:
        print(code("".join(sys.argv[1:]), time.time()))
    except ValueError:
        sys.exit("that is not a key: letters, and digits from 2 to 7")
