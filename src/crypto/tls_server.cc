// The server side of TLS: contexts, certificates by SNI, ALPN, tickets, client certificates, stapling.

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/check.h"
#include "base/file.h"
#include "crypto/certificate_names.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "crypto/ticket_keys.h"
#include "crypto/tls.h"
#include "crypto/tls_policy.h"
#include "crypto/tls_session.h"

namespace gatehouse::crypto {
namespace {

using OcspResponsePtr = std::unique_ptr<OCSP_RESPONSE, OpensslFree<OCSP_RESPONSE_free>>;
using OcspBasicPtr = std::unique_ptr<OCSP_BASICRESP, OpensslFree<OCSP_BASICRESP_free>>;

// How long a session may be resumed: it keeps its client certificate for as long, whatever became of that since.
constexpr std::chrono::seconds kSessionLifetime = std::chrono::hours(1);

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
};

// An OCSP response and until when it may be stapled.
struct Staple {
  std::string der;
  std::time_t next_update = 0;
};

// One SSL_CTX for each set of names. Two certificates of the same names and different key types (ECDSA and RSA) share
// one, and OpenSSL chooses what the client can verify.
struct Site {
  SslContextPtr context;
  std::vector<std::string> names;
  std::vector<int> key_types;
  std::map<int, Staple> staples;  // by key type
};

std::time_t to_time(const ASN1_GENERALIZEDTIME* time) {
  std::tm broken{};
  if (!time || ASN1_TIME_to_tm(time, &broken) != 1) return 0;
  return ::timegm(&broken);
}

Result<Staple> load_staple(const std::string& file) {
  auto der = read_file(file, 64 * 1024);
  if (!der) return tl::unexpected(std::move(der.error()));
  const auto* at = reinterpret_cast<const unsigned char*>(der->data());
  const OcspResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der->size())));
  const auto invalid = [&](std::string_view what) {
    ERR_clear_error();
    return fail(ErrorCode::invalid, fmt::format("{}: {}", file, what), ErrorSource::configuration);
  };
  if (!response || OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return invalid("not a successful OCSP response (DER)");
  }
  const OcspBasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (!basic || OCSP_resp_count(basic.get()) < 1) return invalid("an OCSP response without an answer");
  int reason = 0;
  ASN1_GENERALIZEDTIME *revoked = nullptr, *this_update = nullptr, *next_update = nullptr;
  const int status =
      OCSP_single_get0_status(OCSP_resp_get0(basic.get(), 0), &reason, &revoked, &this_update, &next_update);
  if (status != V_OCSP_CERTSTATUS_GOOD) return invalid("the OCSP response does not say that the certificate is good");
  return Staple{std::move(*der), to_time(next_update)};
}

class ServerContext final : public TlsServerContext, public std::enable_shared_from_this<ServerContext> {
 public:
  Status load(const TlsServerOptions& options);

  std::unique_ptr<TlsSession> accept(int fd) override {
    return std::make_unique<OpensslSession>(*sites_.front()->context, fd, OpensslSession::Role::server,
                                            shared_from_this());
  }

 private:
  Result<SslContextPtr> make_context(const TlsServerOptions& options);
  Status add_certificate(const TlsServerOptions& options, const TlsCertificate& files);
  Status ask_for_client_certificates(SSL_CTX* context, const TlsServerOptions& options);
  Site* find(std::string_view name) const;
  void index_names();

  static int on_server_name(SSL* ssl, int* alert, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                     unsigned in_size, void* self);
  static int on_status(SSL* ssl, void* self);

  std::vector<std::unique_ptr<Site>> sites_;
  std::unordered_map<std::string, Site*, NameHash, std::equal_to<>> by_name_;  // "a.example", "*.example"
  std::unordered_map<const SSL_CTX*, Site*> by_context_;
  std::string alpn_;  // wire form (RFC 7301 §3.1)
  std::shared_ptr<RotatingTicketKeys> ticket_keys_;
  Sha256 session_id_context_{};
};

Status ServerContext::load(const TlsServerOptions& options) {
  if (options.certificates.empty()) {
    return fail(ErrorCode::invalid, "a TLS listener needs a certificate", ErrorSource::configuration);
  }
  auto wire = alpn_wire(options.alpn);
  if (!wire) return tl::unexpected(std::move(wire.error()));
  alpn_ = std::move(*wire);
  ticket_keys_ = std::dynamic_pointer_cast<RotatingTicketKeys>(options.ticket_keys ? options.ticket_keys
                                                                                   : TlsTicketKeys::create());
  GH_CHECK(ticket_keys_);

  // A session resumes only where the same was asked of the client: the mode and the authorities are in its context.
  std::string asked = fmt::format("{} ", static_cast<int>(options.client_auth));
  if (options.client_auth != ClientAuth::none) {
    auto authorities = read_file(options.client_ca_file);
    if (!authorities) return tl::unexpected(std::move(authorities.error()));
    asked += *authorities;
  }
  session_id_context_ = sha256(asked);

  for (const TlsCertificate& files : options.certificates) {
    if (Status added = add_certificate(options, files); !added) return added;
  }
  index_names();
  return {};
}

Result<SslContextPtr> ServerContext::make_context(const TlsServerOptions& options) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail_openssl("TLS context");
  SSL_CTX* c = context.get();
  if (Status set = apply_policy(c, options.min_version); !set) return tl::unexpected(std::move(set.error()));
  // A client that hangs up without close_notify is common and harmless: HTTP has its own framing of requests.
  SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // tickets only: nothing of a session stays with us
  SSL_CTX_set_num_tickets(c, 1);
  SSL_CTX_set_timeout(c, kSessionLifetime.count());
  SSL_CTX_set_session_id_context(c, session_id_context_.data(), static_cast<unsigned>(session_id_context_.size()));
  ticket_keys_->attach(c);
  SSL_CTX_set_tlsext_servername_callback(c, &ServerContext::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(c, this);
  SSL_CTX_set_tlsext_status_cb(c, &ServerContext::on_status);
  SSL_CTX_set_tlsext_status_arg(c, this);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(c, &ServerContext::on_alpn, this);
  if (Status asked = ask_for_client_certificates(c, options); !asked) return tl::unexpected(std::move(asked.error()));
  return context;
}

Status ServerContext::ask_for_client_certificates(SSL_CTX* context, const TlsServerOptions& options) {
  if (options.client_auth == ClientAuth::none) return {};
  const char* file = options.client_ca_file.c_str();
  if (SSL_CTX_load_verify_file(context, file) != 1) {
    return fail_openssl(options.client_ca_file, ErrorCode::invalid, ErrorSource::configuration);
  }
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(file));
  SSL_CTX_set_verify_depth(context, 5);
  int mode = SSL_VERIFY_PEER;
  if (options.client_auth == ClientAuth::required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, nullptr);
  return {};
}

Status ServerContext::add_certificate(const TlsServerOptions& options, const TlsCertificate& files) {
  auto leaf = load_certificate(files.certificate_file);
  if (!leaf) return tl::unexpected(std::move(leaf.error()));
  auto key = load_private_key(files.key_file);
  if (!key) return tl::unexpected(std::move(key.error()));
  if (X509_check_private_key(leaf->get(), key->get()) != 1) {
    ERR_clear_error();
    return fail(ErrorCode::invalid, fmt::format("{}: is not the key of {}", files.key_file, files.certificate_file),
                ErrorSource::configuration);
  }
  const int key_type = EVP_PKEY_get_base_id(key->get());
  std::vector<std::string> names = dns_names(**leaf);

  Site* site = nullptr;
  for (const auto& other : sites_) {
    const bool taken = std::count(other->key_types.begin(), other->key_types.end(), key_type) > 0;
    if (other->names == names && !taken) site = other.get();
  }
  if (!site) {
    auto context = make_context(options);
    if (!context) return tl::unexpected(std::move(context.error()));
    sites_.push_back(std::make_unique<Site>());
    site = sites_.back().get();
    site->context = std::move(*context);
    site->names = std::move(names);
  }
  if (SSL_CTX_use_certificate_chain_file(site->context.get(), files.certificate_file.c_str()) != 1) {
    return fail_openssl(files.certificate_file, ErrorCode::invalid, ErrorSource::configuration);
  }
  if (SSL_CTX_use_PrivateKey(site->context.get(), key->get()) != 1) {
    return fail_openssl(files.key_file, ErrorCode::invalid, ErrorSource::configuration);
  }
  site->key_types.push_back(key_type);
  if (!files.ocsp_file.empty()) {
    auto staple = load_staple(files.ocsp_file);
    if (!staple) return tl::unexpected(std::move(staple.error()));
    site->staples[key_type] = std::move(*staple);
  }
  return {};
}

void ServerContext::index_names() {
  for (const auto& site : sites_) {
    by_context_[site->context.get()] = site.get();
    for (const std::string& name : site->names) by_name_.try_emplace(name, site.get());  // the first in the file wins
  }
}

Site* ServerContext::find(std::string_view name) const {
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return exact->second;
  // A wildcard stands for exactly one label, the first (RFC 6125 §6.4.3).
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() > 253) return nullptr;
  char pattern[256] = "*";
  const std::string_view rest = name.substr(dot);
  std::copy(rest.begin(), rest.end(), pattern + 1);
  const auto wildcard = by_name_.find(std::string_view(pattern, rest.size() + 1));
  return wildcard == by_name_.end() ? nullptr : wildcard->second;
}

int ServerContext::on_server_name(SSL* ssl, int*, void* self) {
  const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!asked) return SSL_TLSEXT_ERR_NOACK;
  char name[256];
  std::size_t size = 0;
  for (; asked[size] != '\0' && size < sizeof name; ++size) name[size] = to_lower_ascii(asked[size]);
  if (size == sizeof name) return SSL_TLSEXT_ERR_NOACK;
  const Site* site = static_cast<const ServerContext*>(self)->find({name, size});
  if (!site) return SSL_TLSEXT_ERR_NOACK;
  if (SSL_get_SSL_CTX(ssl) != site->context.get() && !SSL_set_SSL_CTX(ssl, site->context.get())) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  return SSL_TLSEXT_ERR_OK;
}

// Called only when the client offered ALPN. Without overlap the handshake ends with no_application_protocol
// (RFC 7301 §3.2): going on would let a cross-protocol attack speak another protocol to us (ALPACA).
int ServerContext::on_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                           unsigned in_size, void* self) {
  const std::string& ours = static_cast<const ServerContext*>(self)->alpn_;
  unsigned char* chosen = nullptr;
  const int outcome = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                            static_cast<unsigned>(ours.size()), in, in_size);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int ServerContext::on_status(SSL* ssl, void* self) {
  const auto& context = *static_cast<const ServerContext*>(self);
  const auto site = context.by_context_.find(SSL_get_SSL_CTX(ssl));
  const EVP_PKEY* key = SSL_get_privatekey(ssl);
  if (site == context.by_context_.end() || !key) return SSL_TLSEXT_ERR_NOACK;
  const auto staple = site->second->staples.find(EVP_PKEY_get_base_id(key));
  if (staple == site->second->staples.end()) return SSL_TLSEXT_ERR_NOACK;
  const Staple& response = staple->second;
  // A stale response makes clients refuse us; none makes them ask the authority themselves.
  if (response.next_update != 0 && response.next_update < std::time(nullptr)) return SSL_TLSEXT_ERR_NOACK;
  void* copy = OPENSSL_memdup(response.der.data(), response.der.size());  // OpenSSL frees it with the connection
  if (!copy) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.der.size()));
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::create(const TlsServerOptions& options) {
  auto context = std::make_shared<ServerContext>();
  if (Status loaded = context->load(options); !loaded) return tl::unexpected(std::move(loaded.error()));
  return context;
}

}  // namespace gatehouse::crypto
