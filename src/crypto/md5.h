#pragma once
// MD5, for rules that compare a value's digest with a published one (SecLang's `t:md5`). Nothing that must resist an
// attacker may use it.

#include <array>
#include <cstdint>
#include <string_view>

namespace gatehouse::crypto {

using Md5 = std::array<std::uint8_t, 16>;
Md5 md5(std::string_view bytes) noexcept;

}  // namespace gatehouse::crypto
