#pragma once
// Tests of the WAF layer: one over a rule file of its own, with a shard's working memory and a request's inspection.

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "gateway/layers/sample_request.h"
#include "gateway/layers/waf/rule_store.h"
#include "gateway/layers/waf/waf_layer.h"

namespace gatehouse::gateway {

class WafLayerTest : public testing::Test {
 protected:
  void load(const std::string& rules) {
    std::ofstream(folder_ / "rules.conf") << rules;
    config_.waf.rules = {folder_ / "rules.conf"};
    auto engine = store_.load(config_);
    ASSERT_TRUE(engine) << engine.error().message;
    layer_ = std::make_unique<WafLayer>(config_, *engine);
    shard_.use(*engine);
  }
  // The ids that the record tells.
  static std::vector<std::uint64_t> rules(const SampleRequest& sample) {
    std::vector<std::uint64_t> ids;
    if (sample.record.waf == nullptr) return ids;
    for (const telemetry::WafHit& hit : sample.record.waf->all()) ids.push_back(hit.rule);
    return ids;
  }

  const TempDir folder_;
  FakeClock clock_;
  Config config_ = sample_config();
  RuleStore store_;
  std::unique_ptr<WafLayer> layer_;
  waf::MemoryCollections kept_{clock_};
  waf::RuleStatistics statistics_{clock_, 1};
  WafShard shard_{clock_, kept_, statistics_};
  WafInspection inspection_;
};

}  // namespace gatehouse::gateway
