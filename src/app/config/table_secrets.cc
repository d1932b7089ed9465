// secrets
#include "app/config/scalars.h"
#include "app/config/store_options.h"
#include "app/config/table.h"
#include "secrets/root_key.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

constexpr std::string_view kKeys[] = {"root_key_file", "root_key", "passphrase"};

void check_secrets(Reader& reader, const Given& given, SecretsConfig& config) {
  std::string_view first;
  for (const std::string_view key : kKeys) {
    if (!given.has(key)) continue;
    if (!first.empty()) {
      reader.error(given.key(key), "conflict",
                   fmt::format("there is one root key, and {} names another than {}", key, first),
                   "keep the one of root_key_file, root_key and passphrase that the stored data is sealed under");
      return;
    }
    first = key;
  }
  // Where files aren't looked at, a secret that comes from one is not here.
  if (first.empty() || !given.good({first})) return;
  if (auto good = secrets::check_form(root_key_source(config, {})); !good)
    reader.error(given.at(first), "value", good.error().message);
}

}  // namespace

const Object& secrets_object() {
  static const Object object =
      Object::of<SecretsConfig>(
          "secrets",
          "The root key, under which everything that is stored is sealed. One of these; a lost one is the data lost.",
          {
              key<&SecretsConfig::root_key_file>(
                  "root_key_file", path(), "32 bytes as base64, mode 0600; made at the first start.",
                  {.example = "/etc/gatehouse/root.key", .default_note = "root.key in data_dir", .restart = true}),
              key<&SecretsConfig::root_key>("root_key", secret(), "32 bytes as base64: openssl rand -base64 32.",
                                            {.example = "${env:GATEHOUSE_ROOT_KEY}", .restart = true}),
              key<&SecretsConfig::passphrase>("passphrase", secret(),
                                              "At least 12 characters, of which Argon2id makes the key.",
                                              {.example = "${file:/run/secrets/passphrase}", .restart = true}),
          })
          .with_check<SecretsConfig>(check_secrets);
  return object;
}

}  // namespace gatehouse::app
