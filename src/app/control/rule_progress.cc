#include "app/control/rule_progress.h"

#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <string>

#include "app/process/notify.h"

namespace gatehouse::app {

void show_rule_progress(std::size_t done, std::size_t total) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  // Each step may take this long again (sd_notify(3), EXTEND_TIMEOUT_USEC).
  notify_supervisor("EXTEND_TIMEOUT_USEC=60000000");
  if (total == 0 || ::isatty(STDERR_FILENO) == 0) return;
  constexpr std::size_t kWidth = 30;
  const std::size_t full = done * kWidth / total;
  std::fprintf(stderr, "\rcompiling the inspection rules, once [%s%s] %3zu%%%s", std::string(full, '#').c_str(),
               std::string(kWidth - full, ' ').c_str(), done * 100 / total, done >= total ? "\r\x1b[K" : "");
}

}  // namespace gatehouse::app
