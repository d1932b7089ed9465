#pragma once
// Compresses answers on their way to the client: gzip (RFC 1952), br (RFC 7932), zstd (RFC 8878), as Accept-Encoding
// asks (RFC 9110 §12.5.3).
//
// Off where it could leak: an answer to a request with credentials, or one that sets a cookie, mixes secrets with what
// an attacker may have put into it, and its compressed length tells him (BREACH). A route says `with_credentials` when
// its answers hold no secrets. Off where it would be wrong: ranges, encoded content, `no-transform`, digests of the
// content, no content. Bounds: `kEncodersMax` at once in the process, at most `kEncoderBytesMax` of memory each; past
// it answers go uncompressed. One owner per encoder, on one shard.

#include <memory>
#include <string>
#include <string_view>

#include "gateway/request.h"

namespace gatehouse::gateway {

class Gauge;

inline constexpr std::uint32_t kEncodersMax = 4096;
inline constexpr std::size_t kEncoderBytesMax = 1024 * 1024;

enum class Coding : std::uint8_t { identity, gzip, br, zstd };
std::string_view name_of(Coding coding) noexcept;

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends what is ready to `out`, possibly nothing: libraries gather. Streams (no announced length, event streams)
  // are flushed with each call. False: the library failed; the response must be aborted.
  [[nodiscard]] virtual bool encode(std::string_view in, http::End end, std::string& out) = 0;
  virtual Coding coding() const noexcept = 0;
};

// Decides and prepares the head: content-encoding, no content-length, a weak ETag, Vary (also when this client gets the
// answer as it is). Call it after the layers' `on_response`, and only for answers whose content will follow. Null: send
// the content as it comes.
std::unique_ptr<Encoder> choose_encoder(Request& request, http::ResponseHead& response, Gauge& encoders);

// The parts, for tests.
// The best coding among `ours` (in our order of preference) for an Accept-Encoding value; identity when none is better.
Coding preferred_coding(std::string_view accept_encoding, std::span<const std::string> ours) noexcept;
// Null when the library has no memory. `content_length`: 0 when unknown.
std::unique_ptr<Encoder> make_encoder(Coding coding, std::uint64_t content_length, bool flush_each);

}  // namespace gatehouse::gateway
