// The input is three lines: authority, target, then field lines "name: value". What is accepted must be stable: its
// canonical form is itself canonical, and holds nothing that the contract refuses.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/canonical.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::http;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return line;
}

void check_path(std::string_view path) {
  require(path.starts_with('/') || path == "*");
  for (std::string_view bad : {"//", "/./", "/../", "/..;", "/.;", "%00", "\\"}) {
    require(path.find(bad) == std::string_view::npos);
  }
  require(!path.ends_with("/..") && !path.ends_with("/."));
  for (char c : path) require(static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned flags = data[0];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const CanonicalOptions options{(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0};
  RequestHead head;
  head.method = (flags & 8) != 0 ? "OPTIONS" : "GET";
  head.scheme = (flags & 16) != 0 ? "https" : "http";
  head.version = (flags & 32) != 0 ? Version::http2 : Version::http11;
  head.authority = take_line(rest);
  head.target = take_line(rest);
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) continue;
    head.fields.add(line.substr(0, colon), line.substr(colon + 1));
  }
  Arena arena;
  CanonicalRequest once;
  if (canonicalize(head, options, arena, once) != Reason::none) return 0;
  check_path(once.path);
  require(once.authority.find('@') == std::string_view::npos && !once.host.empty());

  std::string target(once.path);
  if (once.has_query) target.append("?").append(once.query);
  RequestHead again = head;
  again.authority = once.authority;
  again.target = target;
  again.fields = once.fields;
  CanonicalRequest twice;
  require(canonicalize(again, options, arena, twice) == Reason::none);
  require(twice.path == once.path && twice.query == once.query && twice.has_query == once.has_query);
  require(twice.authority == once.authority && twice.host == once.host);
  require(twice.fields.size() == once.fields.size());
  for (auto a = once.fields.begin(), b = twice.fields.begin(); a != once.fields.end(); ++a, ++b) {
    require(a->name == b->name && a->value == b->value);
    require(!is_hop_by_hop(a->name) && !is_identity_field(a->name));
  }
  return 0;
}
