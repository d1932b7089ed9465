#include "app/dev/demo_people.h"

#include <fmt/format.h>

#include "app/commands/admin_output.h"
#include "base/file.h"
#include "codec/base32.h"
#include "crypto/random.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kPasswordBytes = 10;  // 80 bits; four groups of four to type

std::string make_password() {
  const SecretBytes random = crypto::random_secret(kPasswordBytes);
  std::string password;
  for (const char c : codec::base32_encode(random.expose())) {
    if (password.size() % 5 == 4) password.push_back('-');
    password.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return password;
}

Result<codec::Json> make(const AdminTarget& target, std::string_view path, const std::string& body) {
  const auto reply = admin_call(target, "POST", path, body);
  if (!reply) return tl::unexpected(reply.error());
  auto json = codec::Json::parse(reply->body, kReplyLimits);
  if (reply->status != 201 || !json)
    return fail(ErrorCode::internal, fmt::format("{} answers {}: {}", path, reply->status, reply->body));
  return std::move(*json);
}

Result<std::string> make_user(const AdminTarget& target, std::string_view name, std::string_view role,
                              std::string_view password) {
  const auto user = make(target, "/v1/users",
                         fmt::format(R"({{"username":"{}","roles":["{}"],"password":"{}"}})", name, role, password));
  if (!user) return tl::unexpected(user.error());
  return std::string(text_of(*user, "id"));
}

// Somebody else's: its users are asked for consent. A redirect to a loopback address may have any port (RFC 8252 §7.3).
constexpr std::string_view kParcelTracker =
    R"({"client_id":"parcel-tracker","client_name":"Parcel tracker","settings":{"token_endpoint_auth_method":"none",)"
    R"("redirect_uris":["http://127.0.0.1/callback"],"grant_types":["authorization_code"],"scope":"orders:read",)"
    R"("audiences":["https://shop.example"]}})";

}  // namespace

DemoPasswords make_demo_passwords() { return {make_password(), make_password()}; }

Status tell_demo_people(const AdminTarget& target, const std::string& folder, const DemoPasswords& passwords) {
  const auto alice = make_user(target, "alice", "customer", passwords.alice);
  if (!alice) return tl::unexpected(alice.error());
  const auto olga = make_user(target, "olga", "operator", passwords.olga);
  if (!olga) return tl::unexpected(olga.error());
  if (auto client = make(target, "/v1/clients", std::string(kParcelTracker)); !client)
    return tl::unexpected(client.error());
  return write_file_atomically(folder + "/customers.json",
                               fmt::format("{{\"{}\":\"alice\",\"{}\":\"olga\"}}\n", *alice, *olga));
}

}  // namespace gatehouse::app
