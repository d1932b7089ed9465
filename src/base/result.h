#pragma once
// Errors as values. `Result<T>` has the names of C++23's std::expected, so that the move is mechanical.
//
// The hot path and the parsers don't use this: they return a small enum, because an error there must not allocate.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace gatehouse {

enum class ErrorCode : std::uint8_t {
  invalid,  // the input is wrong: a configuration, a token, a file's content
  not_found,
  denied,       // not permitted, by the system or by a policy
  unavailable,  // a peer or a resource that may come back
  timeout,
  exhausted,  // a bound was reached
  conflict,   // what was to be made is there already, or something else changed meanwhile
  io,
  tls,
  internal,
};

// Who caused it: what a proxy needs to choose between 400, 502 and 500.
enum class ErrorSource : std::uint8_t { internal, downstream, upstream, configuration, system };

enum class Retry : std::uint8_t { no, safe };

struct Error {
  ErrorCode code = ErrorCode::internal;
  ErrorSource source = ErrorSource::internal;
  Retry retry = Retry::no;
  std::string message;  // for the operator; a peer sees the code only. A cause follows after ": ".

  // Puts what was being done in front: "loading site.pem: no such file".
  Error&& while_(std::string_view doing) && {
    message = fmt::format("{}: {}", doing, message);
    return std::move(*this);
  }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message, ErrorSource source = ErrorSource::internal) {
  return tl::unexpected<Error>(Error{code, source, Retry::no, std::move(message)});
}
// `errno` now, in words, behind `doing`.
tl::unexpected<Error> fail_errno(std::string_view doing);

}  // namespace gatehouse
