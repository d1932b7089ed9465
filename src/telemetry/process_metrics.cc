// process_*: what Prometheus' own client libraries say about a process (proc(5)).

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "telemetry/metrics.h"

namespace gatehouse::telemetry {
namespace {

std::string read_small(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[4096];
  const ssize_t got = read(fd, buffer, sizeof buffer);
  close(fd);
  return {buffer, static_cast<std::size_t>(got > 0 ? got : 0)};
}

// The numbers of /proc/self/stat behind the command, which may hold anything, parentheses included. Index 0 is field 3.
std::vector<double> stat_fields() {
  const std::string text = read_small("/proc/self/stat");
  std::vector<double> fields;
  std::size_t at = text.rfind(')');
  if (at == std::string::npos) return fields;
  for (++at; at < text.size(); at = text.find(' ', at + 1)) {
    fields.push_back(std::strtod(text.c_str() + at, nullptr));
    if (text.find(' ', at + 1) == std::string::npos) break;
  }
  return fields;
}

double boot_time() {
  const std::string text = read_small("/proc/stat");
  // /proc/stat begins with a line for each processor; on large machines btime lies beyond the first page.
  if (const std::size_t at = text.find("\nbtime "); at != std::string::npos) {
    return std::strtod(text.c_str() + at + 7, nullptr);
  }
  timespec wall{}, up{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_BOOTTIME, &up);
  return static_cast<double>(wall.tv_sec - up.tv_sec);
}

std::size_t open_descriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count - 1;  // the folder's own
}

void collect_process(MetricSamples& samples) {
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const std::vector<double> fields = stat_fields();
  if (fields.size() > 21) {
    samples.add(Metric::process_cpu, {}, (fields[11] + fields[12]) / ticks);
    samples.add(Metric::process_threads, {}, fields[17]);
    samples.add(Metric::process_start, {}, boot_time() + fields[19] / ticks);
    samples.add(Metric::process_virtual, {}, fields[20]);
    samples.add(Metric::process_resident, {}, fields[21] * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  if (const std::size_t count = open_descriptors(); count > 0) {
    samples.add(Metric::process_fds, {}, static_cast<double>(count));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    samples.add(Metric::process_fds_max, {}, static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace

void add_process_collector(Metrics& metrics, std::string_view version) {
  metrics.add_collector([version = std::string(version)](MetricSamples& samples) {
    samples.add(Metric::build_info, {version}, 1);
    collect_process(samples);
  });
}

}  // namespace gatehouse::telemetry
