#include "app/control/rule_loader.h"

#include <system_error>
#include <utility>

namespace gatehouse::app {

RuleLoader::Loaded RuleLoader::load(const gateway::Config& config) {
  if (prepared_ == nullptr || prepared_for_.get() != &config) return store_.load(config);
  const std::shared_ptr<Loaded> prepared = std::move(prepared_);
  release();
  return std::move(*prepared);
}

void RuleLoader::prepare(std::shared_ptr<const gateway::Config> config, net::Loop& loop, std::function<void()> done) {
  release();
  try {
    thread_ = std::thread([this, &loop, config, done] {
      auto loaded = std::make_shared<Loaded>(store_.load(*config));
      loop.post([this, config, done, loaded = std::move(loaded)] {
        thread_.join();
        prepared_for_ = config;
        prepared_ = loaded;
        done();
      });
    });
  } catch (const std::system_error&) {
    done();  // no thread is to be had: `load` does it here
  }
}

void RuleLoader::release() noexcept {
  prepared_for_.reset();
  prepared_.reset();
}

void RuleLoader::end() noexcept {
  stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace gatehouse::app
