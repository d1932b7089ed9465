#pragma once
// When certificates have to be read again without being asked: because their files have changed, or because one that
// Gatehouse issues itself comes near its end.
//
// A change counts when two looks, kPoll apart, have found the same: certificate and key are seldom replaced in one
// step. After a failure the files are tried again when they change, and every kRetry. One thread, the control plane's.

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "gateway/config.h"
#include "gateway/server/snapshot.h"

namespace gatehouse::app {

class CertificateWatch {
 public:
  static constexpr Duration kPoll = std::chrono::seconds(5), kRetry = std::chrono::minutes(1);
  static constexpr Duration kSoon = std::chrono::hours(24 * 14), kRemind = std::chrono::hours(24);
  using Stamps = std::map<std::string, FileStamp>;
  struct Certificate {
    gateway::ServedCertificate served;
    WallTime expires;
  };

  explicit CertificateWatch(const Clock& clock) : clock_(clock) {}

  // How the files look; to be asked before they are read.
  static Stamps look(const gateway::Config& config, const std::vector<gateway::ServedCertificate>& served);
  // They were read as they looked then, and are in force.
  void loaded(const gateway::Config& config, const std::vector<gateway::ServedCertificate>& served, Stamps stamps);
  // They could not be used; what was loaded before stays.
  void failed(Stamps stamps);
  // Whether it is time to read them again. Call it often: it looks at the disk every kPoll.
  bool due(const gateway::Config& config);

  const std::vector<Certificate>& certificates() const noexcept { return certificates_; }
  // Those to warn about now: near their end, and not said within kRemind.
  std::vector<Certificate> ending();

 private:
  std::vector<gateway::ServedCertificate> served() const;

  const Clock& clock_;
  Stamps loaded_, seen_, tried_;
  std::vector<Certificate> certificates_;
  MonotonicTime next_poll_{}, retry_at_ = MonotonicTime::max(), renew_after_{};
  std::map<std::string, MonotonicTime> reminded_;
};

}  // namespace gatehouse::app
