#include "app/dev/demo_credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <string_view>

#include "crypto/signing_key.h"
#include "gateway/layers/authentication/api_keys.h"
#include "net/socket.h"

namespace gatehouse::app {
namespace {

constexpr auto kTokenLifetime = std::chrono::hours(8);

struct Person {
  std::string_view file, user, roles, scopes, factors;  // lists as JSON, scopes separated by spaces
};
constexpr Person kPeople[] = {
    {"alice", "alice", R"(["customer"])", "orders:read orders:write reviews:write payments:write", R"(["pwd"])"},
    {"alice-mfa", "alice", R"(["customer"])", "orders:read orders:write reviews:write payments:write",
     R"(["pwd","otp"])"},
    {"olga", "olga", R"(["operator"])", "orders:read", R"(["pwd","otp"])"},
};

Status write_private(const std::string& file, std::string_view text) {
  const net::Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno("writing " + file);
  }
  return {};
}

std::string claims_of(const Person& person, std::int64_t now) {
  return fmt::format(
      R"({{"iss":"https://login.shop.example","aud":"https://shop.example","sub":"{}","roles":{},"scope":"{}","amr":{},)"
      R"("auth_time":{},"iat":{},"exp":{}}})",
      person.user, person.roles, person.scopes, person.factors, now, now,
      now + std::chrono::duration_cast<std::chrono::seconds>(kTokenLifetime).count());
}

}  // namespace

Status write_demo_credentials(const std::string& folder, const Clock& clock) {
  const crypto::SigningKey key = crypto::SigningKey::generate();
  if (auto written = write_private(folder + "/jwks.json", key.public_jwks()); !written) return written;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()).count();
  for (const Person& person : kPeople) {
    const std::string field = fmt::format("Authorization: Bearer {}\n", key.sign(claims_of(person, now)));
    if (auto written = write_private(fmt::format("{}/{}", folder, person.file), field); !written) return written;
  }

  gateway::ApiKeyEntry partner;
  partner.id = "partner";
  partner.user = "partner@acme.example";
  partner.roles = {"partner"};
  const auto api_key = gateway::create_api_key(folder + "/keys.yaml", std::move(partner));
  if (!api_key) return tl::unexpected(api_key.error());
  return write_private(folder + "/partner", fmt::format("x-api-key: {}\n", *api_key));
}

}  // namespace gatehouse::app
