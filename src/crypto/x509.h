#pragma once
// A small certificate authority in a folder, for `auto: true` and `gatehouse dev`: ECDSA P-256, RFC 5280 profiles.
//
//   ca.pem, ca.key          the authority; ca.pem is what clients are told to trust
//   issued/NAME.pem, .key   leaves, with exactly the names that were asked for
//
// Everything is reused until it comes within 30 days of its end or no longer fits what is asked, and replaced in one
// step. Keys have mode 0600. Control threads only; two processes on one folder may issue twice, and both leaves work.

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::crypto {

struct IssuedCertificate {
  std::string certificate_file, key_file;
  WallTime not_after;
  bool reissued = false;  // made by this call
};

class LocalAuthority {
 public:
  static constexpr Duration kRenewBefore = std::chrono::hours(24 * 30);
  static constexpr Duration kLeafLifetime = std::chrono::hours(24 * 90);
  static constexpr Duration kAuthorityLifetime = std::chrono::hours(24 * 3650);

  // Opens the authority in `folder`, or creates both. `organization` names it in the subject: the trust domain.
  static Result<LocalAuthority> open(const std::string& folder, const std::string& organization,
                                     const Clock& clock = SystemClock::instance());

  // A server certificate for `names`: DNS names, wildcards, IP addresses; the first becomes the file's name.
  Result<IssuedCertificate> issue_server(const std::vector<std::string>& names);
  // A client certificate that speaks for `uri` ("spiffe://shop.example/gateway").
  Result<IssuedCertificate> issue_client(const std::string& name, const std::string& uri);

  const std::string& certificate_file() const noexcept { return certificate_file_; }

 private:
  struct Profile {
    std::string file_name, common_name;
    std::vector<std::string> alternative_names;  // "DNS:a.example", "IP:127.0.0.1", "URI:spiffe://…"
    bool server = true;
  };
  LocalAuthority(std::string folder, std::string organization, const Clock& clock);
  Status create_authority();
  Result<IssuedCertificate> issue(const Profile& profile);

  std::string folder_, organization_, certificate_file_, key_file_;
  const Clock* clock_;
};

// When a PEM certificate ends; for warnings and renewal.
Result<WallTime> certificate_expiry(const std::string& certificate_file);

}  // namespace gatehouse::crypto
