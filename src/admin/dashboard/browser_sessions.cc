#include "admin/dashboard/browser_sessions.h"

#include <algorithm>

#include "crypto/random.h"

namespace gatehouse::admin {

std::string_view name_of(Role role) noexcept {
  switch (role) {
    case Role::none: return "none";
    case Role::viewer: return "viewer";
    case Role::operate: return "operator";
    case Role::administrator: return "administrator";
  }
  return "none";
}

std::vector<BrowserSessions::Entry>::iterator BrowserSessions::look_up(std::vector<Entry>& entries,
                                                                       std::string_view value) {
  const crypto::Sha256 digest = crypto::sha256(value);
  return std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return crypto::equal_in_constant_time(crypto::as_text(entry.digest), crypto::as_text(digest));
  });
}

void BrowserSessions::drop_ended(std::vector<Entry>& entries, std::size_t entries_max) const {
  const MonotonicTime now = clock_.now();
  std::erase_if(entries, [&](const Entry& entry) { return entry.until() <= now; });
  while (entries.size() > entries_max) {
    entries.erase(std::min_element(entries.begin(), entries.end(),
                                   [](const Entry& a, const Entry& b) { return a.until() < b.until(); }));
  }
}

std::string BrowserSessions::begin(Role role, std::string name) {
  drop_ended(sessions_, kSessionsMax - 1);
  std::string value = crypto::random_token();
  const MonotonicTime now = clock_.now();
  sessions_.push_back({crypto::sha256(value), role, std::move(name), now + kIdle, now + kAbsolute});
  return value;
}

Caller BrowserSessions::find(std::string_view value) {
  drop_ended(sessions_, kSessionsMax);
  const auto found = look_up(sessions_, value);
  if (found == sessions_.end()) return {};
  const MonotonicTime now = clock_.now();
  found->idle_until = now + kIdle;
  const auto left = std::chrono::duration_cast<WallTime::duration>(found->until() - now);
  return {found->role, found->name, true, clock_.wall() + left};
}

void BrowserSessions::end(std::string_view value) {
  const auto found = look_up(sessions_, value);
  if (found != sessions_.end()) sessions_.erase(found);
}

void BrowserSessions::end_all() {
  sessions_.clear();
  codes_.clear();
}

std::string BrowserSessions::make_code(Role role, std::string name) {
  drop_ended(codes_, kCodesMax - 1);
  std::string code = crypto::random_token();
  const MonotonicTime ends = clock_.now() + kCodeLife;
  codes_.push_back({crypto::sha256(code), role, std::move(name), ends, ends});
  return code;
}

Caller BrowserSessions::redeem(std::string_view code) {
  drop_ended(codes_, kCodesMax);
  const auto found = look_up(codes_, code);
  if (found == codes_.end()) return {};
  Caller caller{found->role, std::move(found->name)};
  codes_.erase(found);
  return caller;
}

}  // namespace gatehouse::admin
