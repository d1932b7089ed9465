#include "store/redis_location.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ip.h"

namespace gatehouse::store {
namespace {

constexpr std::string_view kForms = "redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE or redis+unix:///PATH";
constexpr std::uint32_t kDatabaseMax = 1'000'000;

tl::unexpected<Error> refuse(std::string_view what) {
  return fail(ErrorCode::invalid, fmt::format("not a location of Redis: {}; write {}", what, kForms),
              ErrorSource::configuration);
}

template <class Number>
std::optional<Number> number(std::string_view text, Number max) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value > max) return std::nullopt;
  return value;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '%' && c != '@'; });
}

bool is_this_machine(std::string_view host) {
  if (host == "localhost") return true;
  const auto address = IpAddress::parse(host);
  return address && (Network::parse("127.0.0.0/8")->contains(*address) || address == IpAddress::parse("::1"));
}

// "host", "host:port", "[v6]:port" into `read`; false: it makes no sense.
bool read_authority(std::string_view authority, RedisLocation& read) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos || !IpAddress::parse(authority.substr(1, end - 1))) return false;
    read.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const std::size_t colon = authority.find(':');
    read.host = authority.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (read.host.empty() || !is_plain(read.host) || read.host.size() > 253) return false;
  if (port.empty()) return true;
  const auto value = number<std::uint16_t>(port.substr(1), 65535);
  if (port.front() != ':' || !value || *value == 0) return false;
  read.port = *value;
  return true;
}

Status read_query(std::string_view query, RedisLocation& read) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (item.starts_with("ca=/") && read.tls) {
      read.ca_file = item.substr(3);
      continue;
    }
    const auto database = item.starts_with("db=") ? number<std::uint32_t>(item.substr(3), kDatabaseMax) : std::nullopt;
    if (!database || read.unix_path.empty()) {
      return refuse("after `?` comes ca=/ABSOLUTE/FILE with rediss, db=NUMBER with redis+unix");
    }
    read.database = *database;
  }
  return {};
}

}  // namespace

Result<RedisLocation> read_redis_location(std::string_view location) {
  RedisLocation read;
  const std::size_t scheme_end = location.find("://");
  const std::string_view scheme = location.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos || (scheme != "redis" && scheme != "rediss" && scheme != "redis+unix"))
    return refuse("no scheme that is known");
  read.tls = scheme == "rediss";
  std::string_view rest = location.substr(scheme_end + 3);
  const std::size_t query_at = std::min(rest.find('?'), rest.size());
  const std::string_view query = rest.substr(std::min(query_at + 1, rest.size()));
  rest = rest.substr(0, query_at);
  if (scheme == "redis+unix") {
    if (!rest.starts_with('/') || rest.size() < 2) return refuse("the socket's path is not absolute");
    read.unix_path = rest;
  } else {
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
      read.username = rest.substr(0, at);
      if (read.username.find(':') != std::string::npos) return refuse("it holds a password");
      if (!is_plain(read.username) || read.username.empty()) return refuse("the user's name");
      rest.remove_prefix(at + 1);
    }
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    if (!read_authority(rest.substr(0, slash), read)) return refuse("host or port");
    const std::string_view database = rest.substr(std::min(slash + 1, rest.size()));
    if (!database.empty()) {
      const auto value = number<std::uint32_t>(database, kDatabaseMax);
      if (!value) return refuse("the database is a number");
      read.database = *value;
    }
  }
  if (auto read_on = read_query(query, read); !read_on) return tl::unexpected(read_on.error());
  read.local = !read.unix_path.empty() || is_this_machine(read.host);
  read.printable = location;
  return read;
}

}  // namespace gatehouse::store
