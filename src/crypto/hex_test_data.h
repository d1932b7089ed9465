#pragma once
// Bytes from the hexadecimal of published test vectors.

#include <string>
#include <string_view>

namespace gatehouse::crypto {

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

}  // namespace gatehouse::crypto
