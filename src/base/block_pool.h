#pragma once
// Memory for libraries that take and give back the same few sizes with every request (nghttp2, OpenSSL's records): a
// thread keeps what was given back in lists by size and hands it out again.
//
// glibc's own cache keeps seven blocks of a size, and none above 1,032 bytes: several streams at once, or a TLS record
// of 16 KiB, go past it, where each block is split from its neighbours and merged with them anew.
//
// Thread safety: any thread; the lists are the thread's own, and go with it. A block may be given back by another
// thread than the one that took it, and blocks of malloc may be given back here. In builds with a sanitizer this is
// malloc. Bounds: kBlocksMax blocks of each size up to kSmallMax, kRecordsMax of kRecordBytes.

#include <cstddef>

namespace gatehouse::block_pool {

constexpr std::size_t kStep = 64;  // sizes are rounded up to a multiple
constexpr std::size_t kSmallMax = 2048;
constexpr std::size_t kBlocksMax = 64;
// A TLS record with its head and OpenSSL's alignment (RFC 8446 §5.2: 16,384 + 256 bytes and 5).
constexpr std::size_t kRecordBytes = 17 * 1024;
constexpr std::size_t kRecordsMax = 8;

void* allocate(std::size_t bytes) noexcept;  // null when memory is short, as malloc
void release(void* block) noexcept;          // null is fine

}  // namespace gatehouse::block_pool
