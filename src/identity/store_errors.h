#pragma once
// What an error of the store means to identity.

#include "base/result.h"

namespace gatehouse::identity {

// The store could not be asked, as opposed to: it refused.
inline bool store_is_gone(const Error& error) noexcept {
  switch (error.code) {
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
    case ErrorCode::exhausted:
    case ErrorCode::io: return true;
    default: return false;
  }
}

}  // namespace gatehouse::identity
