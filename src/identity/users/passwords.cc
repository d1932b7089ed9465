#include "identity/users/passwords.h"

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "crypto/random.h"
#include "identity/users/plain_text.h"
#include "telemetry/log.h"

namespace gatehouse::identity {
namespace {

std::uint32_t cores() noexcept { return std::max(std::thread::hardware_concurrency(), 1U); }

PasswordService::Options completed(PasswordService::Options options) {
  if (options.at_once == 0) options.at_once = cores();
  return options;
}

// Letters and digits only, in lower case, without what stands in front or behind that is no letter.
std::string core_of(std::string_view text) {
  std::string core;
  for (const char c : ascii_lower(text)) {
    const bool other = static_cast<unsigned char>(c) >= 0x80;
    if (other || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) core += c;
  }
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  while (!core.empty() && is_digit(core.back())) core.pop_back();
  core.erase(core.begin(), std::find_if_not(core.begin(), core.end(), is_digit));
  return core;
}

bool is_name_of(std::string_view password, const User& owner) {
  const std::string core = core_of(password);
  const Profile& p = owner.profile;
  const std::string_view local = std::string_view(p.email).substr(0, p.email.find('@'));
  for (const std::string_view name :
       {std::string_view(owner.username), std::string_view(p.email), local, std::string_view(p.name),
        std::string_view(p.given_name), std::string_view(p.family_name), std::string_view(p.nickname)}) {
    if (const std::string own = core_of(name); own.size() >= 3 && (own == core || own + own == core)) return true;
  }
  return ascii_lower(password) == owner.username || email_key(password) == email_key(p.email);
}

}  // namespace

std::string_view name_of(PasswordProblem problem) noexcept {
  switch (problem) {
    case PasswordProblem::none: return "none";
    case PasswordProblem::too_short: return "too_short";
    case PasswordProblem::too_long: return "too_long";
    case PasswordProblem::malformed: return "malformed";
    case PasswordProblem::own_name: return "own_name";
    case PasswordProblem::breached: break;
  }
  return "breached";
}

PasswordProblem PasswordPolicy::judge(std::string_view password, const User* owner,
                                      const BreachedList& breached) const {
  if (password.size() > length_max * 4) return PasswordProblem::too_long;  // before it is looked at
  if (!is_plain_text(password, password.size())) return PasswordProblem::malformed;
  const std::size_t length = characters_of(password);
  if (length < length_min) return PasswordProblem::too_short;
  if (length > length_max) return PasswordProblem::too_long;
  if (owner != nullptr && is_name_of(password, *owner)) return PasswordProblem::own_name;
  if (breached.contains(password)) return PasswordProblem::breached;
  return PasswordProblem::none;
}

// One of those that may compute at the same time.
class PasswordService::Place {
 public:
  explicit Place(PasswordService& service) : service_(service), taken_(service.enter()) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    if (taken_) service_.leave();
  }
  bool taken() const noexcept { return taken_; }

 private:
  PasswordService& service_;
  const bool taken_;
};

bool PasswordService::enter() {
  std::unique_lock lock(mutex_);
  if (running_ >= options_.at_once || waiting_ > 0) {
    if (waiting_ >= options_.waiting_max * options_.at_once) return false;
    ++waiting_;
    free_.wait(lock, [&] { return running_ < options_.at_once; });
    --waiting_;
  }
  ++running_;
  return true;
}

void PasswordService::leave() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  free_.notify_one();
}

PasswordService::PasswordService(Accounts& accounts, secrets::Keyring& keyring, BreachedList breached, Options options)
    : accounts_(accounts),
      breached_(std::move(breached)),
      options_(completed(options)),
      pepper_(keyring.derive("password pepper")) {
  auto dummy = crypto::hash_password(crypto::random_token(), pepper_.expose(), options_.cost);
  GH_CHECK(dummy.has_value());  // a process that starts has a few megabytes
  dummy_hash_ = std::move(*dummy);
}

PasswordResult PasswordService::compare(const std::optional<StoredPassword>& stored, std::string_view password) {
  const bool real = stored && stored->state != UserState::disabled && !stored->hash.empty() &&
                    password.size() <= crypto::kPasswordBytesMax;
  const std::string_view hash = real ? std::string_view(stored->hash) : std::string_view(dummy_hash_);
  const std::string_view tried = password.substr(0, crypto::kPasswordBytesMax);
  const Place place(*this);
  if (!place.taken()) return PasswordResult::busy;
  switch (crypto::verify_password(hash, tried, pepper_.expose())) {
    case crypto::PasswordVerdict::match: break;
    case crypto::PasswordVerdict::exhausted: return PasswordResult::busy;
    case crypto::PasswordVerdict::mismatch:
    case crypto::PasswordVerdict::malformed: return PasswordResult::wrong;
  }
  if (!real) return PasswordResult::wrong;
  if (crypto::needs_rehash(stored->hash, options_.cost)) {
    // That it could not be replaced is no reason to refuse whoever gave the right password.
    const auto fresh = crypto::hash_password(password, pepper_.expose(), options_.cost);
    const Status replaced =
        fresh ? accounts_.replace_password_hash(stored->user_id, stored->hash, *fresh) : tl::unexpected(fresh.error());
    if (!replaced) GH_LOG(warn, "a password's hash was not renewed", {"reason", replaced.error().message});
  }
  return PasswordResult::right;
}

PasswordService::Checked PasswordService::verify(std::string_view login, std::string_view password) {
  const auto stored = accounts_.password_by_login(login);
  if (!stored) return {PasswordResult::unavailable, {}};
  const PasswordResult result = compare(*stored, password);
  return {result, result == PasswordResult::right ? (*stored)->user_id : std::string()};
}

PasswordResult PasswordService::verify_user(std::string_view user_id, std::string_view password) {
  const auto stored = accounts_.password_of(user_id);
  if (!stored) return PasswordResult::unavailable;
  return compare(*stored, password);
}

PasswordProblem PasswordService::judge(std::string_view password, const User* owner) const {
  return options_.policy.judge(password, owner, breached_);
}

Result<std::string> PasswordService::hash(std::string_view password) {
  const Place place(*this);
  if (!place.taken()) return fail(ErrorCode::exhausted, "too many passwords at once");
  return crypto::hash_password(password, pepper_.expose(), options_.cost);
}

Status PasswordService::set(std::string_view user_id, std::string_view password) {
  const auto user = accounts_.find(user_id);
  if (!user) return tl::unexpected(user.error());
  if (!*user) return fail(ErrorCode::not_found, "no such user", ErrorSource::downstream);
  if (const PasswordProblem problem = judge(password, user->get()); problem != PasswordProblem::none) {
    return fail(ErrorCode::invalid, std::string(name_of(problem)), ErrorSource::downstream);
  }
  const auto hashed = hash(password);
  if (!hashed) return tl::unexpected(hashed.error());
  return accounts_.set_password_hash(user_id, *hashed);
}

}  // namespace gatehouse::identity
