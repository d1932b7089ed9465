#pragma once
// Puts checkpoints of the audit log where they are out of the reach of whoever gets hold of this machine.
//
// Only the newest matters: one that waits is replaced by the next. A target that fails is told of once in the log, and
// gets the newest again a minute later, or with the next. What witnesses sign is kept in DIR/witnessed: the checkpoint
// with their lines. Thread safety: `send` from any thread; it does not wait. The rest: one thread.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/audit/checkpoint_target.h"
#include "telemetry/log_destination.h"

namespace gatehouse::app {

class CheckpointSender {
 public:
  static constexpr auto kRetry = std::chrono::seconds(60);

  CheckpointSender(std::string folder, std::vector<CheckpointTarget> targets, const Clock& clock);
  ~CheckpointSender();

  void start();
  void stop();  // sends what waits to files, and what has begun
  void send(const std::string& note);

 private:
  struct Place {
    CheckpointTarget target;
    std::unique_ptr<telemetry::LogDestination> log;
    std::uint64_t witnessed = 0;  // entries that this witness has signed for
    std::string trouble;
    bool behind = false;
  };
  void run();
  void deliver(Place& place, const std::string& note);
  Status put(Place& place, const std::string& note);
  Status put_into_syslog(Place& place, const std::string& note);
  Status post(const Place& place, const std::string& note);
  Status ask_witness(Place& place, const std::string& note);
  Status keep_witnessed(const std::string& note, const std::string& signatures);

  const std::string folder_;
  const Clock& clock_;
  std::vector<Place> places_;
  std::string witnessed_body_, witnessed_lines_;
  std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::string waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::app
