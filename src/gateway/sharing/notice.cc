#include "gateway/sharing/notice.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "codec/json.h"
#include "codec/json_writer.h"
#include "gateway/layers/bans/ban_table.h"

namespace gatehouse::gateway {
namespace {

using codec::Json;
using codec::JsonWriter;
using std::chrono::milliseconds;

constexpr std::array<std::string_view, 7> kKinds{"ban",      "unban",          "failures",       "attacks",
                                                 "forgiven", "login_failures", "login_forgotten"};
constexpr std::size_t kNameMax = 1024;  // a username that somebody typed, with what is before it

std::int64_t in_ms(Duration duration) { return std::chrono::duration_cast<milliseconds>(duration).count(); }
std::int64_t in_ms(WallTime time) { return in_ms(time.time_since_epoch()); }

void member(JsonWriter& json, std::string_view name, std::int64_t value) {
  json.raw(","), json.string(name), json.raw(":"), json.number(value);
}
void member(JsonWriter& json, std::string_view name, std::string_view value) {
  json.raw(","), json.string(name), json.raw(":"), json.string(value);
}

class Reader {
 public:
  explicit Reader(const Json& from) : from_(from) {}
  std::int64_t number(std::string_view name, std::int64_t max) {
    const Json* found = from_.find(name);
    const auto value = found != nullptr ? found->integer() : std::nullopt;
    good_ = good_ && value && *value >= 0 && *value <= max;
    return good_ ? *value : 0;
  }
  std::uint32_t count(std::string_view name) { return static_cast<std::uint32_t>(number(name, UINT32_MAX)); }
  Duration duration(std::string_view name) { return milliseconds(number(name, in_ms(BanTable::kLongest))); }
  // Nanoseconds in 64 bits end in the year 2262.
  WallTime time(std::string_view name) { return WallTime(milliseconds(number(name, 9'000'000'000'000))); }
  std::string text(std::string_view name, std::size_t max) {
    const auto value = from_.find_string(name);
    good_ = good_ && value && value->size() <= max;
    return good_ ? std::string(*value) : std::string();
  }
  Network network(std::string_view name) {
    const auto network = Network::parse(text(name, 64));
    good_ = good_ && network;
    return network.value_or(Network());
  }
  // As two halves: JSON's integers have a sign.
  std::uint64_t key() {
    return static_cast<std::uint64_t>(count("key_high")) << 32 | static_cast<std::uint64_t>(count("key_low"));
  }
  bool good() const { return good_; }

 private:
  const Json& from_;
  bool good_ = true;
};

bool has_key(Notice::Kind kind) {
  return kind == Notice::Kind::failures || kind == Notice::Kind::attacks || kind == Notice::Kind::forgiven;
}

}  // namespace

std::string to_text(const Notice& notice) {
  std::string text;
  JsonWriter json(text);
  json.raw("{\"kind\":");
  json.string(kKinds[static_cast<std::size_t>(notice.kind)]);
  if (has_key(notice.kind)) {
    member(json, "key_high", static_cast<std::int64_t>(notice.key >> 32));
    member(json, "key_low", static_cast<std::int64_t>(notice.key & UINT32_MAX));
  }
  switch (notice.kind) {
    case Notice::Kind::ban:
      member(json, "since", in_ms(notice.since)), member(json, "until", in_ms(notice.until));
      member(json, "forget", in_ms(notice.forget)), member(json, "level", std::int64_t{notice.level});
      member(json, "reason", notice.reason);
      if (notice.again) member(json, "again", std::int64_t{1});
      [[fallthrough]];
    case Notice::Kind::unban: member(json, "network", notice.network.to_string()); break;
    case Notice::Kind::attacks:
      member(json, "address", notice.network.to_string());
      member(json, "first", in_ms(notice.first)), member(json, "longest", in_ms(notice.longest));
      member(json, "reason", notice.reason);
      [[fallthrough]];
    case Notice::Kind::failures:
      member(json, "window", in_ms(notice.window)), member(json, "threshold", std::int64_t{notice.threshold});
      member(json, "count", std::int64_t{notice.count});
      break;
    case Notice::Kind::login_failures: member(json, "count", std::int64_t{notice.count}); [[fallthrough]];
    case Notice::Kind::login_forgotten: member(json, "name", notice.name); break;
    case Notice::Kind::forgiven: break;
  }
  json.raw("}");
  json.flush();
  return text;
}

std::optional<Notice> read_notice(std::string_view text) {
  const auto json = Json::parse(text, {.bytes_max = 8192, .depth_max = 2, .values_max = 32});
  if (!json || !json->is_object()) return std::nullopt;
  const auto kind = std::find(kKinds.begin(), kKinds.end(), json->find_string("kind").value_or(""));
  if (kind == kKinds.end()) return std::nullopt;
  Notice notice;
  notice.kind = static_cast<Notice::Kind>(kind - kKinds.begin());
  Reader read(*json);
  if (has_key(notice.kind)) notice.key = read.key();
  switch (notice.kind) {
    case Notice::Kind::ban:
      notice.since = read.time("since"), notice.until = read.time("until"), notice.forget = read.time("forget");
      notice.level = std::min(read.count("level"), 64u);
      notice.again = json->find("again") != nullptr;
      notice.reason = read.text("reason", BanTable::kReasonMax * 6);
      [[fallthrough]];
    case Notice::Kind::unban: notice.network = read.network("network"); break;
    case Notice::Kind::attacks:
      notice.network = read.network("address");
      notice.first = read.duration("first"), notice.longest = read.duration("longest");
      notice.reason = read.text("reason", BanTable::kReasonMax * 6);
      [[fallthrough]];
    case Notice::Kind::failures:
      notice.window = read.duration("window"), notice.threshold = read.count("threshold");
      notice.count = read.count("count");
      break;
    case Notice::Kind::login_failures: notice.count = read.count("count"); [[fallthrough]];
    case Notice::Kind::login_forgotten: notice.name = read.text("name", kNameMax); break;
    case Notice::Kind::forgiven: break;
  }
  return read.good() ? std::optional(std::move(notice)) : std::nullopt;
}

}  // namespace gatehouse::gateway
