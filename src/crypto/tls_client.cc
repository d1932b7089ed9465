// The client side of TLS: towards upstreams.

#include "base/ip.h"
#include "crypto/openssl.h"
#include "crypto/tls.h"
#include "crypto/tls_policy.h"
#include "crypto/tls_session.h"
#include "crypto/tls_session_store.h"

namespace gatehouse::crypto {
namespace {

class ClientContext final : public TlsClientContext {
 public:
  Status load(const TlsClientOptions& options);
  std::unique_ptr<TlsSession> connect(int fd, const std::string& server_name, std::string_view endpoint) override;

 private:
  // Connections outlive their context over a reload; the tickets that they still get are for nobody then.
  std::shared_ptr<TlsSessionStore> sessions_ = std::make_shared<TlsSessionStore>();
  SslContextPtr context_;
};

Status ClientContext::load(const TlsClientOptions& options) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return fail_openssl("TLS context");
  SSL_CTX* context = context_.get();
  if (Status set = apply_policy(context, TlsVersion::v12); !set) return set;
  // Unlike towards clients, the end of the stream without close_notify is an error here: a response that is framed by
  // the connection's end would be cut short unnoticed.
  TlsSessionStore::fill_from(*context);
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  const bool trusted = options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                               : SSL_CTX_load_verify_file(context, options.ca_file.c_str()) == 1;
  if (!trusted) {
    return fail_openssl(options.ca_file.empty() ? "the system's certificate authorities" : options.ca_file,
                        ErrorCode::invalid, ErrorSource::configuration);
  }
  if (!options.certificate_file.empty()) {
    auto key = load_private_key(options.key_file);
    if (!key) return tl::unexpected(std::move(key.error()));
    if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey(context, key->get()) != 1) {
      return fail_openssl(fmt::format("{} with {}", options.certificate_file, options.key_file), ErrorCode::invalid,
                          ErrorSource::configuration);
    }
  }
  auto alpn = alpn_wire(options.alpn);
  if (!alpn) return tl::unexpected(std::move(alpn.error()));
  if (!alpn->empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn->data()),
                            static_cast<unsigned>(alpn->size()));
  }
  return {};
}

std::unique_ptr<TlsSession> ClientContext::connect(int fd, const std::string& server_name, std::string_view endpoint) {
  auto session = std::make_unique<OpensslSession>(*context_, fd, OpensslSession::Role::client, sessions_);
  SSL& ssl = session->ssl();
  // An address goes into the verification only: SNI carries DNS names (RFC 6066 §3).
  if (IpAddress::parse(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), server_name.c_str());
  } else if (!server_name.empty()) {
    SSL_set_tlsext_host_name(&ssl, server_name.c_str());
    SSL_set_hostflags(&ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(&ssl, server_name.c_str());
  }
  // A resumed session is not verified again: it must have been for the same name, by this context.
  if (!endpoint.empty()) sessions_->resume(ssl, fmt::format("{} {}", server_name, endpoint));
  return session;
}

}  // namespace

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(const TlsClientOptions& options) {
  auto context = std::make_shared<ClientContext>();
  if (Status loaded = context->load(options); !loaded) return tl::unexpected(std::move(loaded.error()));
  return context;
}

}  // namespace gatehouse::crypto
