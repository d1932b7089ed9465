#pragma once
// Passwords: what may become one, and whether one is right.
//
// A guess costs us an Argon2 computation of tens of milliseconds and tens of megabytes: no more than `at_once` run at
// the same time, a short queue waits, and who finds it full is told so at once (PasswordResult::busy → 503). A login
// that nobody has, that is disabled or that has no password costs the same computation as a wrong password, and gets
// the same answer. Thread safety: any thread; verify and hash block.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"
#include "crypto/password_hash.h"
#include "identity/users/accounts.h"
#include "secrets/keyring.h"

namespace gatehouse::identity {

// Passwords that others have already lost. Sources: a local file, sorted, of SHA-1 or SHA-256 digests in hexadecimal
// (`:count` behind is skipped: the format of Have I Been Pwned's download; of any size: it is searched where it lies),
// or of the passwords themselves, one a line, in any order (up to 16 MiB); and the commonest, built in, with what
// people put around them (`P@ssw0rd1!`). Immutable once open: any thread. A file that cannot be read any more holds
// nothing.
class BreachedList {
 public:
  BreachedList();  // the built-in ones only
  static Result<BreachedList> open(const std::string& path);
  BreachedList(BreachedList&&) noexcept;
  BreachedList& operator=(BreachedList&&) noexcept;
  ~BreachedList();

  bool contains(std::string_view password) const;

 private:
  struct File;
  std::unique_ptr<const File> file_;
};

enum class PasswordProblem : std::uint8_t {
  none,
  too_short,
  too_long,
  malformed,  // not UTF-8, or with control characters
  own_name,   // it is the username, the address or a name of the user, or little more
  breached,
};
std::string_view name_of(PasswordProblem problem) noexcept;  // "too_short": also the key of its message

// NIST SP 800-63B §5.1.1.2: length and a list of those known, no rules of composition, no expiry.
struct PasswordPolicy {
  std::size_t length_min = 8;  // in characters (code points)
  std::size_t length_max = 128;
  static constexpr std::size_t kLengthRecommended = 12;

  PasswordProblem judge(std::string_view password, const User* owner, const BreachedList& breached) const;
};

enum class PasswordResult : std::uint8_t {
  right,
  wrong,        // or no such user, or disabled, or no password: nobody learns which
  busy,         // too many at once: 503, nothing was tried
  unavailable,  // the store did not answer
};

class PasswordService {
 public:
  struct Options {
    crypto::PasswordCost cost;
    PasswordPolicy policy;
    std::uint32_t at_once = 0;       // 0: as many as there are cores
    std::uint32_t waiting_max = 16;  // for each that may run
  };
  PasswordService(Accounts& accounts, secrets::Keyring& keyring, BreachedList breached, Options options);

  struct Checked {
    PasswordResult result = PasswordResult::wrong;
    std::string user_id;  // when it was right
  };
  // `login` is a username or an address. A hash of other parameters is replaced after it was found right.
  Checked verify(std::string_view login, std::string_view password);
  PasswordResult verify_user(std::string_view user_id, std::string_view password);

  PasswordProblem judge(std::string_view password, const User* owner) const;
  // ErrorCode::exhausted: busy. Doesn't judge.
  Result<std::string> hash(std::string_view password);
  // ErrorCode::invalid with the problem's name when the policy refuses it. Ends nothing: the caller ends sessions.
  Status set(std::string_view user_id, std::string_view password);

  const Options& options() const noexcept { return options_; }

 private:
  class Place;  // in the gate
  PasswordResult compare(const std::optional<StoredPassword>& stored, std::string_view password);
  bool enter();
  void leave();

  Accounts& accounts_;
  const BreachedList breached_;
  const Options options_;
  const SecretBytes pepper_;
  std::string dummy_hash_;
  std::mutex mutex_;  // over the two below
  std::condition_variable free_;
  std::uint32_t running_ = 0, waiting_ = 0;
};

}  // namespace gatehouse::identity
