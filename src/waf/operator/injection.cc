// libinjection, which libmodsecurity carries and exports without a header. Both functions take any bytes and look at no
// byte behind the last (the fuzzer puts values at the end of a page).
#include "waf/operator/operator.h"

extern "C" {
int libinjection_sqli(const char* input, std::size_t size, char fingerprint[]);  // writes at most 8 bytes with the NUL
int libinjection_xss(const char* input, std::size_t size);
}

namespace gatehouse::waf {

std::optional<SqliFingerprint> detect_sqli(std::string_view value) noexcept {
  SqliFingerprint fingerprint;
  if (value.empty() || libinjection_sqli(value.data(), value.size(), fingerprint.text.data()) != 1) return std::nullopt;
  return fingerprint;
}

bool detect_xss(std::string_view value) noexcept {
  return !value.empty() && libinjection_xss(value.data(), value.size()) == 1;
}

}  // namespace gatehouse::waf
