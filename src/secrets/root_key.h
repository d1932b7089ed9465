#pragma once
// The root key: what the operator owns, and the only secret that is in neither database nor configuration.

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_bytes.h"
#include "secrets/keyring.h"

namespace gatehouse::secrets {

enum class Missing : std::uint8_t { refuse, create };  // a key file that isn't there

// What the operator calls it: the file's path, "secrets.root_key", "secrets.passphrase".
std::string name_of(const RootKeySource& source);
std::string_view kind_name(RootKeySource::Kind kind) noexcept;  // "file", "environment", "passphrase"
// A file with a new root key, durable when this returns. ErrorCode::conflict: there is a file.
Status make_root_key_file(const std::string& path);
// Could it be one? ErrorCode::invalid otherwise. Files are looked at when they are loaded.
Status check_form(const RootKeySource& source);

// 32 bytes. `salt` (16 bytes) belongs to the keyring. ErrorCode::denied: the file is readable by others, or missing
// although it may not be made; invalid: it, or the environment's value, is not 32 bytes in base64.
Result<SecretBytes> load_root_key(const RootKeySource& source, std::string_view salt, Missing missing);

}  // namespace gatehouse::secrets
