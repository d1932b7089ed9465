#pragma once
// What a transaction's rules found, as the decision record keeps it: masked, cut and in the request's arena.
//
// One shard; functions without state. `body`: the request's, as the rules saw it.

#include "gateway/request.h"
#include "telemetry/mask.h"
#include "waf/engine/transaction.h"

namespace gatehouse::gateway {

struct WafFindings {
  const telemetry::WafRecord* record = nullptr;  // null: no rule that is logged
  std::string_view summary;                      // "score 10, denied from 5: 942100 in ARGS:id, 942190 in ARGS:id"
};

// Which of the two scores is told: the request's, or the answer's.
enum class WafDirection : bool { inbound, outbound };

WafFindings take_findings(const waf::Transaction& transaction, const waf::Program& program,
                          const telemetry::Masker& masker, const Request& request, std::string_view body,
                          WafDirection direction);

}  // namespace gatehouse::gateway
