#pragma once
// The rules of posture.h, by what they look at. For posture*.cc only.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config/built_in.h"
#include "app/config/posture.h"
#include "gateway/config.h"

namespace gatehouse::app {

class Findings {
 public:
  Findings(const LoadOutcome& outcome, const PostureOptions& options) : outcome_(outcome), options_(options) {}

  const gateway::Config& config() const noexcept { return *outcome_.config; }
  const PostureOptions& options() const noexcept { return options_; }
  // Whether the reading has said it already.
  bool reported(std::string_view id) const {
    return std::any_of(outcome_.diagnostics.begin(), outcome_.diagnostics.end(),
                       [id](const Diagnostic& d) { return d.id == id; });
  }
  // `path` as in `locate`.
  void add(Severity severity, std::string_view id, const std::string& path, std::string message, std::string_view why,
           std::string fix) {
    found_.push_back({severity, std::string(id), outcome_.file, locate(outcome_.root, path), std::move(message),
                      std::string(why), std::move(fix)});
  }
  std::vector<Diagnostic> take() { return std::move(found_); }

 private:
  const LoadOutcome& outcome_;
  const PostureOptions& options_;
  std::vector<Diagnostic> found_;
};

bool is_loopback(const gateway::Address& address);  // or a Unix socket

void judge_listeners(Findings& findings);
void judge_services(Findings& findings);
void judge_routes(Findings& findings);
void judge_defences(Findings& findings);  // authentication, penalties, layers, admin, process
void judge_identity(Findings& findings);
void judge_exclusions(Findings& findings);  // of the WAF
void judge_exclusions_on_rules(Findings& findings);
void judge_files(Findings& findings);  // certificates, keys, permissions

}  // namespace gatehouse::app
