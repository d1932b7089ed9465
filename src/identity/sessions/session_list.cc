#include "identity/sessions/session_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "identity/seconds.h"
#include "identity/sessions/session_row.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kIdBytesMax = 64;

// Seconds and id of the last session that was shown: it need not be there any more.
using Place = std::pair<std::int64_t, std::string>;

std::optional<Place> read_place(std::string_view text) {
  if (text.empty()) return Place{std::numeric_limits<std::int64_t>::max(), ""};
  std::int64_t created_s = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), created_s);
  std::string_view id = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc{} || created_s < 0 || id.size() < 2 || id.size() > kIdBytesMax || id.front() != '.')
    return std::nullopt;
  id.remove_prefix(1);
  // The characters of base64url.
  const bool is_id = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
  return is_id ? std::optional<Place>({created_s, std::string(id)}) : std::nullopt;
}

}  // namespace

Result<SessionPage> SessionList::newest(std::size_t limit, std::string_view after) {
  const auto place = read_place(after);
  if (!place) return fail(ErrorCode::invalid, "'after' is the 'next' of a page before.", ErrorSource::downstream);
  const std::int64_t now_s = seconds_of(clock_.wall());
  limit = std::clamp<std::size_t>(limit, 1, kLimitMax);
  // One more than is shown tells whether there is another page.
  const auto rows = database_.run(
      fmt::format("SELECT {}, (SELECT username FROM users WHERE users.id = sessions.user_id) FROM sessions "
                  "WHERE (created_at, id) < ($1, $2) AND expires_at > $3 AND seen_at > $4 "
                  "ORDER BY created_at DESC, id DESC LIMIT $5",
                  kSessionColumns),
      {place->first, place->second, now_s, now_s - seconds_of(idle_), limit + 1});
  if (!rows) return tl::unexpected(rows.error());
  SessionPage page;
  for (const store::Row& row : rows->rows) {
    if (page.sessions.size() == limit) {
      const Session& last = page.sessions.back().session;
      page.next = fmt::format("{}.{}", last.created_s, last.id);
      break;
    }
    page.sessions.push_back({read_session(row), row.back().text()});
  }
  return page;
}

}  // namespace gatehouse::identity
