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

}  // namespace gatehouse::identity
