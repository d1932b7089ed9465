#pragma once
// Where anybody is signed in, for whoever administers it: all sessions, the newest first, page by page.
//
// A page costs what is on it and those that are over in between, however many there are behind it. What begins or ends
// meanwhile changes no later page.
// Thread safety: any thread; it blocks.

#include <string>
#include <string_view>
#include <vector>

#include "identity/sessions/sessions.h"

namespace gatehouse::identity {

struct ListedSession {
  Session session;
  std::string username;
};

struct SessionPage {
  std::vector<ListedSession> sessions;
  std::string next;  // where the next page begins; empty: this is the last
};

class SessionList {
 public:
  static constexpr std::size_t kLimitMax = 500;

  SessionList(store::Database& database, Duration idle, const Clock& clock)
      : database_(database), idle_(idle), clock_(clock) {}

  // Those that are not over. `after`: `next` of the page before; ErrorCode::invalid: it was no page's.
  Result<SessionPage> newest(std::size_t limit, std::string_view after = {});

 private:
  store::Database& database_;
  const Duration idle_;
  const Clock& clock_;
};

}  // namespace gatehouse::identity
