#include "waf/operator/geo_database.h"

#include <fmt/format.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/file.h"

namespace gatehouse::waf {
namespace {

// Where the manual's names stand in a record of GeoLite2, GeoIP2 and those who follow them.
struct Path {
  std::string_view name;
  std::array<const char*, 5> keys;  // a null at the end
};
constexpr std::array<Path, 9> kPaths{{
    {"country_code", {"country", "iso_code"}},
    {"country_name", {"country", "names", "en"}},
    {"country_continent", {"continent", "code"}},
    {"region", {"subdivisions", "0", "iso_code"}},
    {"city", {"city", "names", "en"}},
    {"postal_code", {"postal", "code"}},
    {"latitude", {"location", "latitude"}},
    {"longitude", {"location", "longitude"}},
    {"dma_code", {"location", "metro_code"}},
}};
constexpr std::size_t kTextBytesMax = 1024;
constexpr std::size_t kFileBytesMax = std::size_t{1} << 30;  // the largest that are sold have half of it

std::string text_of(const MMDB_entry_data_s& data) {
  switch (data.type) {
    case MMDB_DATA_TYPE_UTF8_STRING: return {data.utf8_string, std::min<std::size_t>(data.data_size, kTextBytesMax)};
    case MMDB_DATA_TYPE_DOUBLE: return std::to_string(data.double_value);  // as libmodsecurity: six digits
    case MMDB_DATA_TYPE_FLOAT: return std::to_string(data.float_value);
    case MMDB_DATA_TYPE_UINT16: return std::to_string(data.uint16);
    case MMDB_DATA_TYPE_UINT32: return std::to_string(data.uint32);
    default: return {};
  }
}

// A record that leads out of the file would otherwise be found by the client whose address leads there.
Status check_tree(const MMDB_s& database) {
  for (std::uint32_t number = 0; number < database.metadata.node_count; ++number) {
    MMDB_search_node_s node{};
    if (MMDB_read_node(&database, number, &node) != MMDB_SUCCESS || node.left_record_type == MMDB_RECORD_TYPE_INVALID ||
        node.right_record_type == MMDB_RECORD_TYPE_INVALID) {
      return fail(ErrorCode::invalid,
                  fmt::format("the database is damaged: node {} of its tree leads nowhere", number));
    }
  }
  return {};
}

}  // namespace

void GeoDatabase::Close::operator()(MMDB_s* database) const noexcept {
  MMDB_close(database);
  delete database;
}

// The library maps a file, and a file that somebody writes into while it is mapped ends the process. So what is mapped
// is a copy that has no name.
Result<std::shared_ptr<const GeoDatabase>> GeoDatabase::open(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return fail(ErrorCode::invalid, file + ": not a file");  // a pipe would block
  const auto content = read_file(file, kFileBytesMax);
  if (!content) return tl::unexpected(content.error());
  const int copy = ::memfd_create("gatehouse-geo", MFD_CLOEXEC);
  if (copy < 0) return fail(ErrorCode::exhausted, fmt::format("{}: no memory: {}", file, std::strerror(errno)));
  std::size_t written = 0;
  for (ssize_t n = 1; n > 0 && written < content->size(); written += static_cast<std::size_t>(std::max<ssize_t>(n, 0)))
    n = ::write(copy, content->data() + written, content->size() - written);
  auto opened = std::make_unique<MMDB_s>();
  const int error = written == content->size()
                        ? MMDB_open(fmt::format("/proc/self/fd/{}", copy).c_str(), MMDB_MODE_MMAP, opened.get())
                        : MMDB_OUT_OF_MEMORY_ERROR;
  ::close(copy);
  if (error != MMDB_SUCCESS) {
    const bool unread = error == MMDB_FILE_OPEN_ERROR || error == MMDB_OUT_OF_MEMORY_ERROR;
    return fail(unread ? ErrorCode::io : ErrorCode::invalid,
                fmt::format("{}: {}", file, unread ? MMDB_strerror(error) : "not a MaxMind database (.mmdb)"));
  }
  std::unique_ptr<MMDB_s, Close> database(opened.release());
  if (auto checked = check_tree(*database); !checked) return tl::unexpected(std::move(checked.error()).while_(file));
  return std::shared_ptr<const GeoDatabase>(new GeoDatabase(std::move(database)));
}

bool GeoDatabase::find(const IpAddress& address, std::vector<GeoValue>& values) const {
  values.clear();
  sockaddr_storage storage{};
  if (address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, address.bytes.data() + 12, 4);
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
  }
  int error = MMDB_SUCCESS;
  MMDB_lookup_result_s found =
      MMDB_lookup_sockaddr(database_.get(), reinterpret_cast<const sockaddr*>(&storage), &error);
  if (error != MMDB_SUCCESS || !found.found_entry) return false;
  for (const Path& path : kPaths) {
    MMDB_entry_data_s data{};
    if (MMDB_aget_value(&found.entry, &data, path.keys.data()) != MMDB_SUCCESS || !data.has_data) continue;
    if (std::string text = text_of(data); !text.empty()) values.push_back({path.name, std::move(text)});
  }
  return true;
}

}  // namespace gatehouse::waf
