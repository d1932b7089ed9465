#pragma once
// Random bytes from the kernel (getrandom). Thread safety: any thread. Ends the process when the kernel has none to
// give: nothing that asked for them may go on without.

#include <cstdint>
#include <span>
#include <string>

#include "base/secret_bytes.h"

namespace gatehouse::crypto {

void random_bytes(std::span<std::uint8_t> into) noexcept;
SecretBytes random_secret(std::size_t bytes);
// 32 bytes as 43 characters of base64url: a credential that nobody guesses.
std::string random_token();

}  // namespace gatehouse::crypto
