"""Content codings, as services use them."""

import ctypes
import ctypes.util
import gzip
import zlib


def brotli(data, window=22):
    library = ctypes.CDLL(ctypes.util.find_library("brotlienc"))
    size = ctypes.c_size_t(len(data) + len(data) // 8 + 1024)
    out = ctypes.create_string_buffer(size.value)
    quality, generic = 5, 0
    assert library.BrotliEncoderCompress(quality, window, generic, ctypes.c_size_t(len(data)), data, ctypes.byref(size), out)
    return out.raw[: size.value]


CODERS = {"gzip": lambda data: gzip.compress(data, 6), "deflate": lambda data: zlib.compress(data, 6), "br": brotli}
