// Files, and what the machine gives.
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/commands/doctor_checks.h"
#include "app/config/posture.h"
#include "app/config/scalars.h"
#include "app/config/store_options.h"
#include "app/process/privileges.h"
#include "net/socket.h"
#include "secrets/root_key.h"

namespace gatehouse::app {
namespace {

using State = Examination::State;

void examine_data_dir(const gateway::Config& config, std::vector<Examination>& found) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path nearest = config.data_dir;
  while (!fs::exists(nearest, code) && nearest.has_relative_path()) nearest = nearest.parent_path();
  const bool there = nearest == fs::path(config.data_dir);
  if (access(nearest.c_str(), W_OK | X_OK) != 0) {
    found.push_back({"files", "data_dir", State::bad,
                     fmt::format("{} can't be written: {}", nearest.string(), strerror(errno)),
                     fmt::format("install -d -m 750 -o gatehouse {}", config.data_dir)});
    return;
  }
  struct statvfs space {};
  const std::uint64_t free = statvfs(nearest.c_str(), &space) == 0 ? std::uint64_t{space.f_bavail} * space.f_frsize : 0;
  constexpr std::uint64_t kEnough = 256ULL << 20;
  found.push_back({"files", "data_dir", free < kEnough ? State::warning : State::good,
                   fmt::format("{}{}; {} MiB free", config.data_dir, there ? "" : " will be made", free >> 20),
                   free < kEnough ? "free some space: keys, state and logs need it" : ""});
}

// Whether it is the right one is for the start to say: that needs the store.
void examine_root_key(const gateway::Config& config, std::vector<Examination>& found) {
  if (!config.identity) return;
  const secrets::RootKeySource source = root_key_source(config.secrets, config.data_dir);
  const auto say = [&](State state, std::string detail, std::string fix = {}) {
    found.push_back({"files", "root key", state, std::move(detail), std::move(fix)});
  };
  if (source.kind != secrets::RootKeySource::Kind::file) return say(State::good, secrets::name_of(source));
  struct stat facts {};
  if (stat(source.path.c_str(), &facts) == 0) {
    if ((facts.st_mode & 077) == 0) return say(State::good, source.path);
    return say(State::bad, fmt::format("{} can be read by others", source.path),
               fmt::format("chmod 600 {}", source.path));
  }
  const bool has_store = config.store == "sqlite" && access((config.data_dir + "/gatehouse.db").c_str(), F_OK) == 0;
  if (!has_store) return say(State::good, fmt::format("{} will be made, if the store is new", source.path));
  say(State::bad, fmt::format("{} is missing, and there is a store that it opens", source.path),
      "put it back: a new one would not open the data");
}

void examine_clock(const Clock& clock, std::vector<Examination>& found) {
  // The program can't run before it was built.
  struct stat program {};
  const auto now = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(clock.wall()));
  if (stat("/proc/self/exe", &program) == 0 && program.st_mtime > now + 60) {
    found.push_back({"system", "clock", State::bad, "the clock is behind the program's own file",
                     "set it: timedatectl set-ntp true"});
    return;
  }
  timex state{};
  const bool synchronised = adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
  found.push_back(
      {"system", "clock", synchronised ? State::good : State::warning,
       synchronised ? "kept in step" : "the kernel doesn't know of any time source",
       synchronised ? ""
                    : "tokens and certificates depend on it: timedatectl set-ntp true (in a container, on its host)"});
}

void examine_open_files(const gateway::Config* config, std::vector<Examination>& found) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  std::uint64_t wanted = 1024;
  if (config != nullptr) {
    // each client connection may need one to a service
    for (const gateway::ListenerConfig& listener : config->listeners) wanted += 2ULL * listener.limits.connections;
  }
  const bool good = limit.rlim_max >= wanted;
  found.push_back(
      {"system", "open files", good ? State::good : State::warning,
       fmt::format("{} allowed, {} wanted for all connections at once", limit.rlim_max, wanted),
       good ? "" : fmt::format("LimitNOFILE={} in the unit, or ulimit -n; past it connections are shed", wanted)});
}

void examine_kernel(std::vector<Examination>& found) {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  const bool seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  found.push_back({"system", "seccomp", seccomp ? State::good : State::bad, seccomp ? "available" : strerror(errno),
                   seccomp ? "" : "a kernel with CONFIG_SECCOMP_FILTER, or process: { sandbox: false }"});
  const net::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  const bool reuse_port = fd && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  found.push_back({"system", "SO_REUSEPORT", reuse_port ? State::good : State::bad,
                   reuse_port ? "available" : strerror(errno), reuse_port ? "" : "Linux 3.9 or newer"});
  std::ifstream in("/proc/sys/net/core/somaxconn");
  unsigned backlog = 0;
  if (in >> backlog) {
    found.push_back({"system", "listen backlog", backlog >= 1024 ? State::good : State::warning,
                     fmt::format("net.core.somaxconn is {}", backlog),
                     backlog >= 1024 ? "" : "sysctl net.core.somaxconn=4096: bursts of connections are dropped"});
  }
  const unsigned cores = std::thread::hardware_concurrency();
  found.push_back({"system", "cores", State::good, fmt::format("{}: as many shards by default", cores), ""});
}

}  // namespace

void examine_files(const LoadOutcome& outcome, const Clock& clock, std::vector<Examination>& found) {
  // What `check` knows of files, in the doctor's words.
  std::size_t findings = 0;
  for (const Diagnostic& d : judge_posture(outcome, {true, clock, unprivileged_user(outcome.config->process.user)})) {
    const bool about_files = d.id == "config.tls" || d.id == "tls.expired" || d.id == "tls.expires_soon" ||
                             d.id == "tls.key_permissions" || d.id == "file.unreadable" ||
                             d.id == "auth.key_file_permissions" || d.id == "file.writable" ||
                             d.id == "data_dir.writable" || d.id == "config.waf_rules";
    if (!about_files) continue;
    ++findings;
    found.push_back({"files", d.id, d.severity == Severity::error ? State::bad : State::warning,
                     fmt::format("{} (line {})", d.message, d.position.line), d.hint});
  }
  if (findings == 0)
    found.push_back(
        {"files", "certificates and keys", State::good, "readable, matching, in date, and not for others", ""});
  examine_data_dir(*outcome.config, found);
  examine_root_key(*outcome.config, found);
}

void examine_system(const gateway::Config* config, const Clock& clock, std::vector<Examination>& found) {
  examine_open_files(config, found);
  examine_clock(clock, found);
  examine_kernel(found);
}

}  // namespace gatehouse::app
