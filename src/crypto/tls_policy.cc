#include "crypto/tls_policy.h"

namespace gatehouse::crypto {
namespace {

// AES-128 first: as strong as the P-256 and X25519 exchanges around it, cheaper in bulk, and its SHA-256 key schedule
// costs less of a handshake than SHA-384's. Forward secrecy and AEAD only (RFC 9325 §4.2).
constexpr char kSuites13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char kCiphers12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kGroups[] = "X25519:P-256:P-384";

}  // namespace

Status apply_policy(SSL_CTX* context, TlsVersion min_version) {
  const int lowest = min_version == TlsVersion::v13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context, lowest) != 1 || SSL_CTX_set_cipher_list(context, kCiphers12) != 1 ||
      SSL_CTX_set_ciphersuites(context, kSuites13) != 1 || SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    return fail_openssl("TLS policy");
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  return {};
}

Result<std::string> alpn_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return fail(ErrorCode::invalid, fmt::format("\"{}\" cannot be an ALPN name: 1 to 255 bytes", protocol),
                  ErrorSource::configuration);
    }
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

}  // namespace gatehouse::crypto
