#pragma once
// What a client gets to know a user by (OIDC Core §8): the same id everywhere, or one for each sector that nobody can
// join with another's.

#include <string>
#include <string_view>

#include "base/secret_bytes.h"
#include "identity/provider/client.h"
#include "secrets/keyring.h"

namespace gatehouse::identity {

class Subjects {
 public:
  explicit Subjects(const secrets::Keyring& keyring) : key_(keyring.derive("pairwise subjects")) {}
  std::string subject_of(std::string_view user_id, const Client& client) const;

 private:
  const SecretBytes key_;
};

// "app.example": the host whose clients share pairwise subjects (OIDC Core §8.1).
std::string_view sector_of(const ClientSettings& settings) noexcept;

}  // namespace gatehouse::identity
