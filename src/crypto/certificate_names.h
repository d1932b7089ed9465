#pragma once
// Who a certificate speaks for: subject, alternative names, fingerprint (RFC 5280 §4.2.1.6, RFC 6125).
// For this module's own .cc files.

#include <string>
#include <vector>

#include "crypto/openssl.h"
#include "crypto/tls.h"

namespace gatehouse::crypto {

constexpr char to_lower_ascii(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// A name with a byte that could end a header line or a string early is left out.
TlsPeer describe(const X509& certificate);

// The DNS names it serves, lower case, wildcards as "*.example"; the common name only where there are no alternative
// names at all. Sorted, each once.
std::vector<std::string> dns_names(const X509& certificate);

}  // namespace gatehouse::crypto
