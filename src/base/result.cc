#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace gatehouse {

tl::unexpected<Error> fail_errno(std::string_view doing) {
  const int error = errno;
  const ErrorCode code = error == ENOENT                      ? ErrorCode::not_found
                         : error == EACCES || error == EPERM  ? ErrorCode::denied
                         : error == EEXIST                    ? ErrorCode::conflict
                         : error == EMFILE || error == ENFILE ? ErrorCode::exhausted
                         : error == ETIMEDOUT                 ? ErrorCode::timeout
                                                              : ErrorCode::io;
  return tl::unexpected<Error>(
      Error{code, ErrorSource::system, Retry::no, fmt::format("{}: {}", doing, std::strerror(error))});
}

}  // namespace gatehouse
