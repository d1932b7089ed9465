#include "app/commands/backup.h"

#include <cstdio>

#include "app/config/load.h"
#include "app/config/store_options.h"
#include "store/backup.h"

namespace gatehouse::app {

int run_backup(const BackupOptions& options) {
  const bool saves = options.action == BackupOptions::Action::backup;
  const char* command = saves ? "backup" : "restore";
  const LoadOutcome outcome = load_config(options.config_path);
  if (!outcome.ok()) {
    std::fprintf(stderr, "gatehouse %s: %s has mistakes: see gatehouse check -c %s\n", command,
                 options.config_path.c_str(), options.config_path.c_str());
    return 2;
  }
  const store::DatabaseOptions store = store_options(*outcome.config);
  Status status;
  if (saves) {
    status = store::back_up(store, options.file);
    if (status)
      std::printf("saved to %s; it is of no use without the root key: keep that apart\n", options.file.c_str());
  } else if (auto restored = store::restore(options.file, store); !restored) {
    status = tl::unexpected(std::move(restored.error()));
  } else {
    std::printf("restored from %s\n", options.file.c_str());
    if (!restored->aside.empty()) std::printf("what was there before is in %s\n", restored->aside.c_str());
  }
  if (status) return 0;
  std::fprintf(stderr, "gatehouse %s: %s\n", command, status.error().message.c_str());
  return 1;
}

}  // namespace gatehouse::app
