#pragma once
// Where snapshots have their inspection rules from: read and compiled here and now at the start, and on a thread of its
// own for a reload, which takes a minute when every pattern is new. Meanwhile the control plane goes on: signals, the
// admin API, health checks, certificates.
//
// Control thread only. Invariant: what `prepare` made is what `load` gives for that configuration, so that the rules
// that were compiled are the ones that are put in force, whatever becomes of their files meanwhile.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "gateway/layers/waf/rule_store.h"
#include "net/loop.h"

namespace gatehouse::app {

class RuleLoader {
 public:
  using Loaded = Result<std::shared_ptr<const waf::RuleEngine>>;

  explicit RuleLoader(gateway::RuleStore::Progress progress) : store_(std::move(progress), &stop_) {}
  RuleLoader(const RuleLoader&) = delete;
  RuleLoader& operator=(const RuleLoader&) = delete;
  ~RuleLoader() { end(); }

  Loaded load(const gateway::Config& config);
  // One at a time. `done` comes on `loop`, which outlives the work or `end`.
  void prepare(std::shared_ptr<const gateway::Config> config, net::Loop& loop, std::function<void()> done);
  void release() noexcept;  // what was prepared and not asked for
  // What is compiled fails soon, now and from now on: the program ends.
  void stop() noexcept { stop_ = true; }
  void end() noexcept;  // the same, and waits for it; `done` will not come

 private:
  std::atomic<bool> stop_{false};
  gateway::RuleStore store_;  // the thread's while it runs
  std::thread thread_;
  std::shared_ptr<const gateway::Config> prepared_for_;
  std::shared_ptr<Loaded> prepared_;
};

}  // namespace gatehouse::app
