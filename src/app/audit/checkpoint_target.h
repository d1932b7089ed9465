#pragma once
// Where checkpoints of the audit log are put beside it.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::app {

struct CheckpointTarget {
  enum class Kind : std::uint8_t { file, syslog, post, witness } kind = Kind::file;
  std::string where;  // path, syslog://…, URL; of a witness its submission prefix
  std::string vkey;   // of a witness
};

// The error says what is wrong with it, for `check`.
Result<CheckpointTarget> parse_checkpoint_target(std::string_view text);

}  // namespace gatehouse::app
