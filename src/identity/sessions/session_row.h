#pragma once
// How a session is read from its row.

#include <string_view>

#include "identity/sessions/sessions.h"

namespace gatehouse::identity {

inline constexpr std::string_view kSessionColumns =
    "id, user_id, auth_at, factor_at, amr, device, client_ip, created_at, seen_at, expires_at";

inline Session read_session(const store::Row& row) {
  Session session;
  session.id = row[0].text();
  session.user_id = row[1].text();
  session.auth_s = row[2].integer();
  session.factor_s = row[3].integer();
  session.amr = row[4].text();
  session.device = row[5].text();
  session.client_ip = row[6].text();
  session.created_s = row[7].integer();
  session.seen_s = row[8].integer();
  session.expires_s = row[9].integer();
  return session;
}

}  // namespace gatehouse::identity
