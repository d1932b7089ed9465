#include "identity/audit.h"

#include <algorithm>

#include "codec/form.h"
#include "identity/ids.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/users/plain_text.h"
#include "telemetry/log.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kNameBytesMax = 128, kDetailBytesMax = 512;

std::string_view name_of(Outcome outcome) noexcept { return outcome == Outcome::ok ? "ok" : "refused"; }

}  // namespace

Status AuditTrail::write(const AuditEvent& event) {
  store::Value sealed;
  if (!event.details.empty()) {
    codec::FormWriter form;
    for (const auto& [name, value] : event.details) form.add(name, value);
    auto bytes = keyring_.seal(kAuditDetails.path(event.id), 1, form.text());
    if (!bytes) return tl::unexpected(std::move(bytes.error()));
    sealed = store::Bytes{std::move(*bytes)};
  }
  auto added = database_.run(
      "INSERT INTO audit_events (id, at, actor, action, target, outcome, request_id, details_sealed, version) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)",
      {event.id, event.at_s, event.actor, event.action, event.target, name_of(event.outcome), event.request_id,
       std::move(sealed)});
  if (!added) return tl::unexpected(std::move(added.error()));
  return {};
}

void AuditTrail::record(std::string_view actor, std::string_view action, std::string_view target, Outcome outcome,
                        Details details, std::string_view request_id) {
  const WallTime now = clock_.wall();
  AuditEvent event;
  event.id = new_id(now);
  event.at_s = seconds_of(now);
  event.actor = as_plain_text(actor, kNameBytesMax);
  event.action = action;
  event.target = as_plain_text(target, kNameBytesMax);
  event.outcome = outcome;
  event.request_id = as_plain_text(request_id, kNameBytesMax);
  for (const auto& [name, value] : details) event.details.emplace_back(name, as_plain_text(value, kDetailBytesMax));
  // The details stay out of the log: they may hold addresses.
  GH_LOG(info, "audit", {"action", event.action}, {"actor", event.actor}, {"target", event.target},
         {"outcome", name_of(outcome)}, {"request_id", event.request_id}, {"event", event.id});
  for (const auto& listener : listeners_) listener(event);
  if (const auto stored = write(event); !stored) {
    lost_.fetch_add(1, std::memory_order_relaxed);
    GH_LOG(error, "an audit event was not stored", {"event", event.id}, {"action", event.action},
           {"reason", stored.error().message});
  }
}

Result<std::vector<AuditEvent>> AuditTrail::list(const AuditFilter& filter) {
  store::Parameters values;
  std::string conditions = "1 = 1";
  if (!filter.target.empty()) {
    values.emplace_back(filter.target);
    conditions += " AND target = $" + std::to_string(values.size());
  }
  if (!filter.before_id.empty()) {
    values.emplace_back(filter.before_id);
    conditions += " AND id < $" + std::to_string(values.size());
  }
  values.emplace_back(std::clamp<std::size_t>(filter.limit, 1, kLimitMax));
  const auto rows = database_.run(
      "SELECT id, at, actor, action, target, outcome, request_id, details_sealed, version "
      "FROM audit_events WHERE " +
          conditions + " ORDER BY id DESC LIMIT $" + std::to_string(values.size()),
      values);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<AuditEvent> events;
  for (const store::Row& row : rows->rows) {
    AuditEvent event{row[0].text(), row[1].integer(),
                     row[2].text(), row[3].text(),
                     row[4].text(), row[5].text() == "ok" ? Outcome::ok : Outcome::refused,
                     row[6].text(), {}};
    if (!row[7].is_null()) {
      const auto plain =
          keyring_.open(kAuditDetails.path(event.id), static_cast<std::uint64_t>(row[8].integer()), row[7].bytes());
      if (!plain) return tl::unexpected(plain.error());
      if (const auto form = codec::Form::parse(plain->expose())) event.details = form->entries();
    }
    events.push_back(std::move(event));
  }
  return events;
}

Result<std::int64_t> AuditTrail::remove_older_than(Duration age) {
  const auto removed =
      database_.run("DELETE FROM audit_events WHERE id IN (SELECT id FROM audit_events WHERE at < $1 LIMIT 1000)",
                    {seconds_of(clock_.wall()) - seconds_of(age)});
  if (!removed) return tl::unexpected(removed.error());
  return removed->changed;
}

}  // namespace gatehouse::identity
