#include "app/control/ban_store.h"

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace gatehouse::app {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kFileBytesMax = 32 * 1024 * 1024;

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::optional<WallTime> time_at(const json& entry, const char* key) {
  const auto at = entry.find(key);
  constexpr std::int64_t kLatest = 253'402'300'799;  // the year 9999; 64-bit nanoseconds end before
  if (at == entry.end() || !at->is_number_integer()) return std::nullopt;
  const auto value = at->get<std::int64_t>();
  if (value < 0 || value > kLatest) return std::nullopt;
  return WallTime(std::chrono::seconds(std::min<std::int64_t>(value, 9'000'000'000)));
}

std::optional<gateway::Ban> ban_of(const json& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto at = entry.find(key);
    return at != entry.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto network = Network::parse(text("network"));
  const auto since = time_at(entry, "since"), until = time_at(entry, "until"), forget = time_at(entry, "forget");
  const auto level = entry.find("level");
  if (!network || !since || !until || !forget || level == entry.end() || !level->is_number_unsigned())
    return std::nullopt;
  const auto times = std::min<std::uint64_t>(level->get<std::uint64_t>(), 64);
  return gateway::Ban{*network, *since, *until, static_cast<std::uint32_t>(times), text("reason"), *forget};
}

}  // namespace

std::string ban_file(const std::string& data_dir) { return data_dir.empty() ? "" : data_dir + "/bans.json"; }

Status save_bans(const gateway::BanTable& bans, const std::string& file) {
  json list = json::array();
  std::vector<gateway::Ban> all = bans.remembered();
  if (all.size() > kStoredBansMax) {  // what would be forgotten first is left out
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(kStoredBansMax));
  }
  for (const gateway::Ban& ban : all) {
    list.push_back({{"network", ban.network.to_string()},
                    {"since", seconds(ban.since)},
                    {"until", seconds(ban.until)},
                    {"forget", seconds(ban.forget)},
                    {"level", ban.level},
                    {"reason", ban.reason}});
  }
  const json whole = {{"version", kVersion}, {"bans", std::move(list)}};
  return write_file_atomically(file, whole.dump(-1, ' ', false, json::error_handler_t::replace) + "\n", 0600);
}

Result<std::size_t> restore_bans(gateway::BanTable& bans, const std::string& file, const Clock& clock) {
  const auto text = read_file(file, kFileBytesMax);
  if (!text) {
    if (text.error().code == ErrorCode::not_found) return std::size_t{0};
    return tl::unexpected(text.error());
  }
  const json whole = json::parse(*text, nullptr, false);
  const auto unusable = [&](std::string_view what) {
    return fail(ErrorCode::invalid, fmt::format("{}: {}", file, what), ErrorSource::system);
  };
  if (!whole.is_object() || !whole.contains("version") || !whole.contains("bans") || !whole["bans"].is_array())
    return unusable("not a list of bans");
  if (whole["version"] != kVersion) return unusable("written by another version");
  std::size_t count = 0;
  for (const json& entry : whole["bans"]) {
    if (count == kStoredBansMax) break;
    const auto ban = ban_of(entry);
    if (!ban || ban->forget <= clock.wall()) continue;
    bans.restore(*ban);
    ++count;
  }
  return count;
}

}  // namespace gatehouse::app
