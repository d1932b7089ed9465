#pragma once
// What both sides of TLS have in common: versions, ciphers, groups, buffers. For this module's own .cc files.

#include <string>
#include <vector>

#include "crypto/openssl.h"
#include "crypto/tls.h"

namespace gatehouse::crypto {

Status apply_policy(SSL_CTX* context, TlsVersion min_version);

// Protocol names in the wire form of RFC 7301 §3.1.
Result<std::string> alpn_wire(const std::vector<std::string>& protocols);

}  // namespace gatehouse::crypto
