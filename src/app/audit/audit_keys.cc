#include "app/audit/audit_keys.h"

#include <sys/stat.h>

#include "base/file.h"
#include "codec/base64.h"
#include "crypto/random.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kKeyFileBytesMax = 4096, kPersonalKeyBytes = 32;
constexpr std::string_view kPemBegin = "-----BEGIN PRIVATE KEY-----\n", kPemEnd = "\n-----END PRIVATE KEY-----\n";

// The secret in `path`, between `begin` and `end`; made by `make` when there is none and none is needed.
template <class Make>
Result<SecretBytes> key_in(const std::string& path, bool needed, std::string_view begin, std::string_view end,
                           Make make) {
  auto text = read_file(path, kKeyFileBytesMax);
  if (!text && text.error().code != ErrorCode::not_found) return tl::unexpected(std::move(text.error()));
  if (!text && needed) {
    return fail(
        ErrorCode::invalid,
        fmt::format("{} is gone, and the audit log was written with it: put it back, or move the log aside", path),
        ErrorSource::configuration);
  }
  if (!text) {
    SecretBytes key = make();
    std::string written = std::string(begin) + codec::base64_encode(key.expose()) + std::string(end);
    const Status made = create_file_atomically(path, written, 0600);
    ::explicit_bzero(written.data(), written.size());
    if (!made) return tl::unexpected(made.error());
    return key;
  }
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return fail(ErrorCode::denied, fmt::format("{} can be read by others: chmod 600 {}", path, path));
  }
  std::string_view inner = *text;
  if (!inner.starts_with(begin) || !inner.ends_with(end) || inner.size() < begin.size() + end.size()) {
    return fail(ErrorCode::invalid, fmt::format("{} is not a key of the audit log", path));
  }
  inner = inner.substr(begin.size(), inner.size() - begin.size() - end.size());
  auto bytes = codec::base64_decode(inner);
  ::explicit_bzero(text->data(), text->size());
  if (!bytes) return fail(ErrorCode::invalid, fmt::format("{} is not a key of the audit log", path));
  SecretBytes key(*bytes);
  ::explicit_bzero(bytes->data(), bytes->size());
  return key;
}

}  // namespace

Result<AuditKeys> open_audit_keys(const std::string& data_dir, const std::string& log_folder) {
  const bool needed = stamp_of(log_folder + "/checkpoint") != FileStamp{};
  const std::string signing = data_dir + "/audit-signing.key", personal = data_dir + "/audit-personal.key";
  auto der = key_in(signing, needed, kPemBegin, kPemEnd, [] { return audit::NoteSigner::generate().pkcs8(); });
  if (!der) return tl::unexpected(std::move(der.error()));
  auto signer = audit::NoteSigner::from_pkcs8(*der);
  if (!signer) return tl::unexpected(std::move(signer.error()).while_(signing));
  // Without it nothing is lost but what commitments stand for: a new one does no harm.
  auto secret = key_in(personal, false, "", "\n", [] { return crypto::random_secret(kPersonalKeyBytes); });
  if (!secret) return tl::unexpected(std::move(secret.error()));
  if (secret->size() != kPersonalKeyBytes) return fail(ErrorCode::invalid, personal + " is not 32 bytes in base64");
  if (Status wrote = write_file_atomically(data_dir + "/audit.vkey", signer->vkey() + "\n", 0644); !wrote) {
    return tl::unexpected(std::move(wrote.error()));
  }
  return AuditKeys{std::move(*signer), std::move(*secret)};
}

}  // namespace gatehouse::app
