#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "telemetry/explain.h"

namespace gatehouse::telemetry {
namespace {

constexpr std::size_t kLineBytesMax = 1024 * 1024;  // far above what a record can be; a longer one is no log
constexpr std::size_t kReadBytes = 256 * 1024;

// Keeps the unfinished last line of what it has read, never more.
Result<std::string> find_in_file(const std::string& path, std::string_view request_id) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno("opening " + path);
  const std::string needle = fmt::format("\"request_id\":\"{}\"", request_id);
  std::string text;
  Result<std::string> result = fail(ErrorCode::not_found, fmt::format("{} is not in {}", request_id, path));
  for (bool more = true; more;) {
    const std::size_t before = text.size();
    text.resize(before + kReadBytes);
    const ssize_t got = read(fd, text.data() + before, kReadBytes);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) result = fail_errno("reading " + path);
    more = got > 0;
    // The last line may be without its line break: another process is writing it.
    const std::size_t end = more ? text.rfind('\n') + 1 : text.size();
    if (const std::size_t at = text.find(needle); at < end) {
      const std::size_t from = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
      result = text.substr(from, std::min(text.find('\n', at), text.size()) - from);
      break;
    }
    text.erase(0, end);
    if (text.size() > kLineBytesMax) {
      result = fail(ErrorCode::invalid, path + " has lines that are too long for an access log");
      break;
    }
  }
  close(fd);
  return result;
}

}  // namespace

Result<std::string> find_in_log(const std::string& path, std::string_view request_id) {
  Result<std::string> found = find_in_file(path, request_id);
  if (found || found.error().code != ErrorCode::not_found) return found;
  if (Result<std::string> rotated = find_in_file(path + ".1", request_id)) return rotated;
  return found;
}

}  // namespace gatehouse::telemetry
