#include "secrets/root_key.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/file.h"
#include "codec/base64.h"
#include "crypto/password_hash.h"
#include "crypto/random.h"

namespace gatehouse::secrets {
namespace {

constexpr std::size_t kRootBytes = 32;
constexpr std::size_t kFileBytesMax = 256;
constexpr std::size_t kPassphraseBytesMin = 12;
// Asked once a start: stronger than what a login pays.
constexpr crypto::PasswordCost kPassphraseCost{.memory_kib = 64 * 1024, .passes = 3};

Result<SecretBytes> decode(std::string_view text, std::string_view whose, ErrorSource where) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  auto bytes = codec::base64_decode(text);
  if (!bytes || bytes->size() != kRootBytes) {
    return fail(ErrorCode::invalid,
                fmt::format("{} is not a root key: it must be 32 bytes in base64 (openssl rand -base64 32)", whose),
                where);
  }
  SecretBytes key{std::string_view(*bytes)};
  explicit_bzero(bytes->data(), bytes->size());
  return key;
}

Result<SecretBytes> create_file(const std::string& path) {
  SecretBytes key = crypto::random_secret(kRootBytes);
  std::string text = codec::base64_encode(key.expose()) + "\n";
  // Never over another one: what it wrapped would be lost.
  auto made = create_file_atomically(path, text, 0600);
  explicit_bzero(text.data(), text.size());
  if (!made) return tl::unexpected(std::move(made.error()).while_("making the root key"));
  return key;
}

Result<SecretBytes> from_file(const std::string& path, Missing missing) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno != ENOENT) return fail_errno(fmt::format("the root key {}", path));
    if (missing == Missing::create) {
      auto made = create_file(path);
      // Who starts at the same time may be faster: there is one key, the one that has the name.
      if (!made && made.error().code == ErrorCode::conflict) return from_file(path, Missing::refuse);
      return made;
    }
    return fail(ErrorCode::denied, fmt::format("the root key {} is missing: without it nothing that is stored can be "
                                               "read. Put it back; a new one would not open the data",
                                               path));
  }
  if ((facts.st_mode & 077) != 0) {
    return fail(ErrorCode::denied, fmt::format("the root key {} can be read by others: chmod 600 {}", path, path));
  }
  auto text = read_file(path, kFileBytesMax);
  if (!text) return tl::unexpected(text.error());
  auto key = decode(*text, path, ErrorSource::system);
  explicit_bzero(text->data(), text->size());
  return key;
}

Result<SecretBytes> from_text(const RootKeySource& source) {
  return decode(source.secret.expose(), name_of(source), ErrorSource::configuration);
}

Status check_passphrase(const SecretBytes& passphrase) {
  if (passphrase.size() >= kPassphraseBytesMin) return {};
  return fail(ErrorCode::invalid, "the passphrase must have at least 12 characters", ErrorSource::configuration);
}

}  // namespace

std::string name_of(const RootKeySource& source) {
  switch (source.kind) {
    case RootKeySource::Kind::file: return source.path;
    case RootKeySource::Kind::environment: return "secrets.root_key";
    case RootKeySource::Kind::passphrase: return "secrets.passphrase";
  }
  return {};
}

std::string_view kind_name(RootKeySource::Kind kind) noexcept {
  switch (kind) {
    case RootKeySource::Kind::file: return "file";
    case RootKeySource::Kind::environment: return "environment";
    case RootKeySource::Kind::passphrase: break;
  }
  return "passphrase";
}

Status make_root_key_file(const std::string& path) {
  auto made = create_file(path);
  return made ? Status{} : tl::unexpected(std::move(made.error()));
}

Status check_form(const RootKeySource& source) {
  if (source.kind == RootKeySource::Kind::passphrase) return check_passphrase(source.secret);
  if (source.kind != RootKeySource::Kind::environment) return {};
  auto key = from_text(source);
  return key ? Status{} : tl::unexpected(key.error());
}

Result<SecretBytes> load_root_key(const RootKeySource& source, std::string_view salt, Missing missing) {
  switch (source.kind) {
    case RootKeySource::Kind::file: return from_file(source.path, missing);
    case RootKeySource::Kind::environment: return from_text(source);
    case RootKeySource::Kind::passphrase:
      if (auto good = check_passphrase(source.secret); !good) return tl::unexpected(good.error());
      return crypto::key_from_passphrase(source.secret.expose(), salt, kPassphraseCost);
  }
  return fail(ErrorCode::internal, "no such kind of root key");
}

}  // namespace gatehouse::secrets
