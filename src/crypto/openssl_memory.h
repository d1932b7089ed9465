#pragma once
// Where OpenSSL takes its memory from.

namespace gatehouse::crypto {

// From base/block_pool.h: a TLS connection takes a buffer of one record (16 KiB) for each burst that it reads or writes
// and gives it back after it, so that idle connections hold none (SSL_MODE_RELEASE_BUFFERS). To be called before the
// first use of OpenSSL; later it has no effect and returns false.
bool use_block_pool() noexcept;

}  // namespace gatehouse::crypto
