#include "identity/ids.h"

#include <optional>

#include "base/check.h"
#include "telemetry/trace.h"

namespace gatehouse::identity {

std::string new_id(WallTime now) {
  thread_local std::optional<telemetry::IdGenerator> generator;
  if (!generator) {
    auto made = telemetry::IdGenerator::create();
    GH_CHECK(made.has_value());  // the kernel always has random bytes
    generator = std::move(*made);
  }
  const telemetry::RequestId id = generator->request_id(now);
  return {id.data(), id.size()};
}

bool may_be_id(std::string_view text) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base32
  return text.size() == 26 && text.find_first_not_of(kDigits) == std::string_view::npos;
}

}  // namespace gatehouse::identity
