#include "identity/users/registration.h"

#include <fmt/format.h>

#include "identity/seconds.h"
#include "identity/users/login_parts.h"
#include "identity/web.h"

namespace gatehouse::identity {
namespace {

using Verdict = Registration::Answer::Verdict;

Registration::Answer refused(Verdict verdict) { return {verdict, PasswordProblem::none, {}, {}}; }

// What an error of the store or of the gate means to whoever waits for an answer.
Registration::Answer failed(const Error& error) {
  switch (error.code) {
    case ErrorCode::conflict: return refused(Verdict::conflict);
    case ErrorCode::invalid: return refused(Verdict::invalid);
    case ErrorCode::exhausted: return refused(Verdict::busy);
    default: return refused(Verdict::unavailable);
  }
}

constexpr std::string_view kActiveAdmin =
    "SELECT u.id FROM users u WHERE u.state = 'active' AND (u.id IN (SELECT user_id FROM user_roles WHERE role = $1) "
    "OR "
    "u.id IN (SELECT m.user_id FROM group_members m JOIN group_roles r ON r.group_id = m.group_id WHERE r.role = $1)) "
    "LIMIT 1";

}  // namespace

Registration::Registration(const RegistrationParts& parts, RegistrationOptions options)
    : parts_(parts), options_(std::move(options)) {}

std::string Registration::link(std::string_view path, std::string_view token) const {
  return fmt::format("{}{}?ticket={}", options_.issuer, path, token);
}

Status Registration::mail(MessageKind kind, const User& user, MessageFields fields) {
  if (user.profile.email.empty()) return fail(ErrorCode::unavailable, "the user has no address");
  fields.emplace_back("site", options_.site);
  fields.emplace_back("name", user.profile.name.empty() ? user.username : user.profile.name);
  fields.emplace_back("username", user.username);
  fields.emplace_back("time", written_time(seconds_of(parts_.clock.wall())));
  Composed composed = compose(kind, user.profile.locale, fields);
  return parts_.delivery.send(Mail{user.profile.email, std::move(composed.subject), std::move(composed.text)});
}

Status Registration::send_link(MessageKind kind, TicketKind ticket, const User& user, std::string_view token) {
  const std::string_view path = ticket == TicketKind::invite         ? options_.invite_path
                                : ticket == TicketKind::verify_email ? options_.verify_path
                                                                     : options_.reset_path;
  const Duration lifetime = ticket == TicketKind::invite         ? Tickets::kInvite
                            : ticket == TicketKind::verify_email ? Tickets::kVerifyEmail
                                                                 : Tickets::kReset;
  const std::int64_t until_s = seconds_of(parts_.clock.wall()) + seconds_of(lifetime);
  return mail(kind, user, {{"link", link(path, token)}, {"expires", written_time(until_s)}});
}

// --- Invitations ---

Result<Registration::Invited> Registration::invite(const NewUser& wanted, std::string_view actor) {
  NewUser invited = wanted;
  invited.state = UserState::invited;
  invited.password_hash.clear();
  auto user = parts_.accounts.create(invited);
  if (!user) return tl::unexpected(std::move(user.error()));
  return invite_again((*user)->id, actor);
}

Result<Registration::Invited> Registration::invite_again(std::string_view user_id, std::string_view actor) {
  auto user = parts_.accounts.find(user_id);
  if (!user) return tl::unexpected(std::move(user.error()));
  if (!*user) return fail(ErrorCode::not_found, "no such user", ErrorSource::downstream);
  if ((*user)->state != UserState::invited) {
    return fail(ErrorCode::conflict, "the user has accepted an invitation already", ErrorSource::downstream);
  }
  // A link that is handed over proves no address.
  const std::string_view address = parts_.delivery.has_mail() ? std::string_view((*user)->profile.email) : "";
  const auto token = parts_.tickets.issue(TicketKind::invite, user->get(), address);
  if (!token) return tl::unexpected(token.error());
  Invited invited{*user, link(options_.invite_path, *token), false};
  invited.mailed = send_link(MessageKind::invitation, TicketKind::invite, **user, *token).has_value();
  parts_.audit.record(actor, "user.invite", actor_of_user(user_id), Outcome::ok,
                      {{"username", (*user)->username}, {"mailed", invited.mailed ? "yes" : "no"}});
  return invited;
}

// A refused password leaves the link good: it is looked at, and used only once everything else is ready.
tl::expected<Registration::Prepared, Registration::Answer> Registration::prepare(TicketKind kind,
                                                                                 std::string_view token,
                                                                                 std::string_view password) {
  const auto ticket = parts_.tickets.look(kind, token);
  if (!ticket) return tl::unexpected(failed(ticket.error()));
  if (!*ticket) return tl::unexpected(refused(Verdict::bad_link));
  const auto user = parts_.accounts.find((*ticket)->user_id);
  if (!user) return tl::unexpected(failed(user.error()));
  if (!*user) return tl::unexpected(refused(Verdict::bad_link));
  if (const PasswordProblem problem = parts_.passwords.judge(password, user->get()); problem != PasswordProblem::none) {
    return tl::unexpected(Answer{Verdict::bad_password, problem, {}, {}});
  }
  auto hash = parts_.passwords.hash(password);
  if (!hash) return tl::unexpected(failed(hash.error()));
  const auto used = parts_.tickets.use(kind, token);
  if (!used) return tl::unexpected(failed(used.error()));
  if (!*used) return tl::unexpected(refused(Verdict::bad_link));  // somebody was faster
  return Prepared{*user, (*used)->email, std::move(*hash)};
}

Registration::Answer Registration::known_device(Answer answer, std::string_view user_id, const Visitor& visitor) {
  const auto cookie = parts_.devices.know(user_id, visitor.device_cookie, device_label(visitor.user_agent), false);
  if (cookie) answer.set_cookies.push_back(host_cookie(kDeviceCookie, *cookie, Devices::kKnown));
  return answer;  // without one it is a stranger's browser, no more
}

Registration::Answer Registration::accept_invitation(std::string_view token, std::string_view password,
                                                     const Visitor& visitor) {
  const auto prepared = prepare(TicketKind::invite, token, password);
  if (!prepared) return prepared.error();
  const User& user = *prepared->user;
  Status done = parts_.accounts.set_password_hash(user.id, prepared->hash);
  if (done && !prepared->email.empty()) done = parts_.accounts.set_email(user.id, prepared->email, true);
  if (done) done = parts_.accounts.set_state(user.id, UserState::active);
  if (!done) return failed(done.error());
  parts_.audit.record(actor_of_user(user.id), "user.accept", actor_of_user(user.id), Outcome::ok, {},
                      visitor.request_id);
  return known_device({Verdict::done, PasswordProblem::none, user.id, {}}, user.id, visitor);
}

// --- Addresses ---

Status Registration::send_verification(std::string_view user_id, std::string_view email) {
  const auto normal = normal_email(email);
  if (!normal) return fail(ErrorCode::invalid, "email: not an e-mail address", ErrorSource::downstream);
  const auto user = parts_.accounts.find(user_id);
  if (!user) return tl::unexpected(user.error());
  if (!*user) return fail(ErrorCode::not_found, "no such user", ErrorSource::downstream);
  const auto token = parts_.tickets.issue(TicketKind::verify_email, user->get(), *normal);
  if (!token) return tl::unexpected(token.error());
  User addressed = **user;
  addressed.profile.email = *normal;
  return send_link(MessageKind::verify_email, TicketKind::verify_email, addressed, *token);
}

Registration::Answer Registration::verify_email(std::string_view token, const Visitor& visitor) {
  const auto ticket = parts_.tickets.use(TicketKind::verify_email, token);
  if (!ticket) return failed(ticket.error());
  if (!*ticket) return refused(Verdict::bad_link);
  const std::string& user_id = (*ticket)->user_id;
  if (auto done = parts_.accounts.set_email(user_id, (*ticket)->email, true); !done) return failed(done.error());
  parts_.audit.record(actor_of_user(user_id), "user.verify_email", actor_of_user(user_id), Outcome::ok,
                      {{"email", (*ticket)->email}}, visitor.request_id);
  return {Verdict::done, PasswordProblem::none, user_id, {}};
}

// --- Passwords ---

Status Registration::request_reset(std::string_view login, const Visitor& visitor) {
  // Mail to somebody is what is guarded here: the counts are those of guesses, under a name of their own, and a
  // request is never forgiven.
  const auto user = parts_.accounts.find_by_login(login);
  if (!user) return tl::unexpected(user.error());
  const std::string account = "reset:" + (*user ? (*user)->id : std::string(login.substr(0, 256)));
  const ThrottleKey named{account, visitor.client_ip, {}};
  const bool admitted = parts_.throttle.ask(named).verdict == ThrottleDecision::Verdict::proceed;
  if (admitted) parts_.throttle.failed(named);
  const bool serves = admitted && *user && (*user)->active() && (*user)->email_verified;
  parts_.audit.record(*user ? actor_of_user((*user)->id) : "system", "user.reset.request",
                      *user ? actor_of_user((*user)->id) : "", serves ? Outcome::ok : Outcome::refused,
                      {{"address", visitor.client_ip.to_string()}}, visitor.request_id);
  // For nobody the same ticket is made, by the same statements, and thrown away.
  const auto token = parts_.tickets.issue(TicketKind::reset, serves ? user->get() : nullptr);
  if (!token) return tl::unexpected(token.error());
  if (serves) static_cast<void>(send_link(MessageKind::reset_password, TicketKind::reset, **user, *token));
  return {};
}

Registration::Answer Registration::reset_password(std::string_view token, std::string_view password,
                                                  const Visitor& visitor) {
  const auto prepared = prepare(TicketKind::reset, token, password);
  if (!prepared) return prepared.error();
  const User& user = *prepared->user;
  Status done = parts_.accounts.set_password_hash(user.id, prepared->hash);
  if (done) done = parts_.tickets.revoke_all(user.id);
  if (done) done = parts_.devices.forget_all(user.id);
  if (!done) return failed(done.error());
  const auto ended = parts_.sessions.end_all(user.id);
  if (!ended) return failed(ended.error());
  parts_.audit.record(actor_of_user(user.id), "user.reset", actor_of_user(user.id), Outcome::ok, {},
                      visitor.request_id);
  static_cast<void>(mail(MessageKind::password_changed, user, {}));
  return known_device({Verdict::done, PasswordProblem::none, user.id, {}}, user.id, visitor);
}

Registration::Answer Registration::change_password(std::string_view user_id, std::string_view password,
                                                   std::string_view sid, const Visitor& visitor) {
  const auto user = parts_.accounts.find(user_id);
  if (!user) return failed(user.error());
  if (!*user) return refused(Verdict::invalid);
  if (const PasswordProblem problem = parts_.passwords.judge(password, user->get()); problem != PasswordProblem::none) {
    return {Verdict::bad_password, problem, {}, {}};
  }
  const auto hash = parts_.passwords.hash(password);
  if (!hash) return failed(hash.error());
  Status done = parts_.accounts.set_password_hash(user_id, *hash);
  if (done) done = parts_.tickets.revoke_all(user_id);
  if (!done) return failed(done.error());
  if (const auto ended = parts_.sessions.end_all(user_id, sid); !ended) return failed(ended.error());
  parts_.audit.record(actor_of_user(user_id), "user.password", actor_of_user(user_id), Outcome::ok, {},
                      visitor.request_id);
  static_cast<void>(mail(MessageKind::password_changed, **user, {}));
  return {Verdict::done, PasswordProblem::none, std::string(user_id), {}};
}

// --- The first administrator ---

Result<std::optional<std::string>> Registration::first_admin_link() {
  const auto admins = parts_.database.run(kActiveAdmin, {kAdminRole});
  if (!admins) return tl::unexpected(admins.error());
  if (!admins->empty()) return std::nullopt;
  const auto token = parts_.tickets.issue(TicketKind::first_admin, nullptr);
  if (!token) return tl::unexpected(token.error());
  return link(options_.first_admin_path, *token);
}

Registration::Answer Registration::create_first_admin(std::string_view token, std::string_view username,
                                                      std::string_view email, std::string_view password,
                                                      const Visitor& visitor) {
  const auto ticket = parts_.tickets.look(TicketKind::first_admin, token);
  if (!ticket) return failed(ticket.error());
  if (!*ticket) return refused(Verdict::bad_link);
  User owner;
  owner.username = username;
  owner.profile.email = email;
  if (const PasswordProblem problem = parts_.passwords.judge(password, &owner); problem != PasswordProblem::none) {
    return {Verdict::bad_password, problem, {}, {}};
  }
  auto hash = parts_.passwords.hash(password);
  if (!hash) return failed(hash.error());
  NewUser wanted{.username = std::string(username), .profile = {}};
  wanted.profile.email = email;
  wanted.state = UserState::active;
  wanted.password_hash = std::move(*hash);
  wanted.roles = {std::string(kAdminRole)};
  // Several links may be about; whoever comes second finds that there is an administrator, in the same transaction.
  bool taken = false;
  std::string id;
  const Status done = parts_.database.transact([&](store::Executor& tx) -> Status {
    taken = false;
    const auto admins = tx.run(kActiveAdmin, {kAdminRole});
    if (!admins) return tl::unexpected(admins.error());
    const auto used = tx.run("DELETE FROM tickets WHERE kind = 'first_admin'");
    if (!used) return tl::unexpected(used.error());
    taken = !admins->empty() || used->changed == 0;
    if (taken) return {};
    auto made = parts_.accounts.create(tx, wanted);
    if (!made) return tl::unexpected(std::move(made.error()));
    id = std::move(*made);
    return {};
  });
  if (!done) return failed(done.error());
  if (taken) return refused(Verdict::bad_link);
  parts_.audit.record(actor_of_user(id), "user.first_admin", actor_of_user(id), Outcome::ok,
                      {{"username", username}, {"address", visitor.client_ip.to_string()}}, visitor.request_id);
  return known_device({Verdict::done, PasswordProblem::none, id, {}}, id, visitor);
}

}  // namespace gatehouse::identity
