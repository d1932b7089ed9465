// What the gateway pays for cryptography, beside OpenSSL's own figures: `openssl speed ecdsap256 ed25519 rsa2048`.
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include "codec/base64.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/dpop.h"
#include "crypto/jwt.h"
#include "crypto/keyed_hash.h"
#include "crypto/openssl.h"
#include "crypto/password_hash.h"
#include "crypto/signing_key.h"
#include "crypto/tls_session.h"
#include "crypto/x509.h"

namespace {

using namespace gatehouse;

constexpr char kClaims[] =
    R"({"iss":"https://login.example","aud":["shop"],"sub":"ann","roles":["customer"],"scope":"orders:read orders:write",)"
    R"("iat":1750000000,"exp":1750000600})";

void keyed_hash_40(benchmark::State& state) {
  const std::string text(40, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crypto::keyed_hash(text));
}
BENCHMARK(keyed_hash_40);

void sha256_600(benchmark::State& state) {
  const std::string text(600, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crypto::sha256(text));
}
BENCHMARK(sha256_600);

void aead_seal_and_open_40(benchmark::State& state) {
  const auto key = crypto::AeadKey::generate();
  const std::string text(40, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(key.open(key.seal(text, "users/1/email"), "users/1/email"));
}
BENCHMARK(aead_seal_and_open_40);

// What a login costs, and nothing else of it counts beside.
void password_hash(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(crypto::hash_password("correct horse battery staple", "pepper"));
}
BENCHMARK(password_hash)->Unit(benchmark::kMillisecond);

// One token; several threads share the key.
void jwt_sign(benchmark::State& state) {
  const auto algorithm = static_cast<crypto::JoseAlgorithm>(state.range(0));
  static std::map<crypto::JoseAlgorithm, crypto::SigningKey> keys;
  static std::mutex mutex;
  const crypto::SigningKey& key = [&]() -> const crypto::SigningKey& {
    const std::lock_guard lock(mutex);
    return keys.try_emplace(algorithm, *crypto::SigningKey::generate(algorithm)).first->second;
  }();
  for (auto _ : state) benchmark::DoNotOptimize(key.sign(kClaims));
  state.SetLabel(std::string(crypto::name_of(algorithm)));
}
BENCHMARK(jwt_sign)
    ->Arg(static_cast<int>(crypto::JoseAlgorithm::es256))
    ->Arg(static_cast<int>(crypto::JoseAlgorithm::eddsa))
    ->Arg(static_cast<int>(crypto::JoseAlgorithm::rs256))
    ->ThreadRange(1, 2);

void jwt_verify_es256(benchmark::State& state) {
  const auto key = crypto::SigningKey::generate();
  const auto keys = crypto::KeySet::parse(key.public_jwks());
  const std::string token = key.sign(kClaims);
  const crypto::JwtExpectation expected{.issuer = "https://login.example",
                                        .audiences = {},
                                        .algorithms = crypto::AlgorithmSet::all(),
                                        .leeway = std::chrono::seconds(30)};
  for (auto _ : state) {
    crypto::UnverifiedJwt parsed;
    crypto::JwtValidity validity;
    if (crypto::parse_jwt(token, parsed) != crypto::JwtStatus::ok ||
        crypto::verify_jwt(parsed, *keys, expected, WallTime(std::chrono::seconds(1'750'000'100)), validity) !=
            crypto::JwtStatus::ok) {
      state.SkipWithError("refused");
    }
  }
}
BENCHMARK(jwt_verify_es256);

void jwt_parse(benchmark::State& state) {
  const std::string token = crypto::SigningKey::generate().sign(kClaims);
  for (auto _ : state) {
    crypto::UnverifiedJwt parsed;
    benchmark::DoNotOptimize(crypto::parse_jwt(token, parsed));
  }
}
BENCHMARK(jwt_parse);

void dpop_verify(benchmark::State& state) {
  const auto key = crypto::SigningKey::generate();
  const std::string input =
      codec::base64url_encode(R"({"typ":"dpop+jwt","alg":"ES256","jwk":)" + key.public_jwk() + "}") + "." +
      codec::base64url_encode(R"({"jti":"a","htm":"POST","htu":"https://login.example/token","iat":1750000000})");
  const std::string proof = input + "." + codec::base64url_encode(key.signature_of(input));
  const crypto::DpopExpectation expected{.method = "POST", .uri = "https://login.example/token"};
  crypto::DpopProof out;
  for (auto _ : state) {
    if (crypto::verify_dpop(proof, expected, WallTime(std::chrono::seconds(1'750'000'010)), out) !=
        crypto::DpopStatus::ok) {
      state.SkipWithError("refused");
    }
  }
}
BENCHMARK(dpop_verify);

// Both ends of a connection in one thread over a socket pair.
struct Pair {
  Pair() {
    folder = "/tmp/crypto_bench_XXXXXX";
    if (!::mkdtemp(folder.data())) std::abort();
    auto authority = crypto::LocalAuthority::open(folder, "bench");
    const auto issued = authority->issue_server({"shop.example"});
    server = *crypto::TlsServerContext::create({.certificates = {{issued->certificate_file, issued->key_file, {}}},
                                                .client_ca_file = {},
                                                .alpn = {"h2"},
                                                .ticket_keys = {}});
    client = *crypto::TlsClientContext::create(
        {.ca_file = authority->certificate_file(), .certificate_file = {}, .key_file = {}, .alpn = {"h2"}});
  }
  ~Pair() { std::filesystem::remove_all(folder); }
  void connect() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
    ours = server->accept(fds[0]);
    theirs = client->connect(fds[1], "shop.example");
    theirs->handshake();
    ours->handshake();
    theirs->readable();
    theirs->handshake();
    ours->readable();
    if (ours->handshake() != crypto::TlsStatus::ok) std::abort();
  }
  void close() {
    ours.reset();
    theirs.reset();
    ::close(fds[0]);
    ::close(fds[1]);
  }
  std::string folder;
  std::shared_ptr<crypto::TlsServerContext> server;
  std::shared_ptr<crypto::TlsClientContext> client;
  std::unique_ptr<crypto::TlsSession> ours, theirs;
  int fds[2];
};

// One handshake, of which only the server's steps are timed: `accept` begins one, `step` goes on and says whether it is
// done.
template <class Accept, class Step>
void server_handshakes(benchmark::State& state, Accept accept, Step step) {
  Pair pair;
  for (auto _ : state) {
    state.PauseTiming();
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.fds) != 0) std::abort();
    pair.theirs = pair.client->connect(pair.fds[1], "shop.example");
    pair.theirs->handshake();
    state.ResumeTiming();
    auto ours = accept(pair);
    step(ours);
    state.PauseTiming();
    pair.theirs->readable();
    pair.theirs->handshake();
    state.ResumeTiming();
    if (!step(ours)) state.SkipWithError("no handshake");
    state.PauseTiming();
    ours.reset();
    pair.close();
    state.ResumeTiming();
  }
}

void tls_handshake_server(benchmark::State& state) {
  server_handshakes(
      state, [](Pair& pair) { return pair.server->accept(pair.fds[0]); },
      [](std::unique_ptr<crypto::TlsSession>& session) {
        session->readable();
        return session->handshake() == crypto::TlsStatus::ok;
      });
}
BENCHMARK(tls_handshake_server);

// The peer: OpenSSL with its own socket BIO and defaults, as nginx uses it.
void tls_handshake_server_openssl_alone(benchmark::State& state) {
  crypto::SslContextPtr context;
  server_handshakes(
      state,
      [&](Pair& pair) {
        if (!context) {
          const std::string base = pair.folder + "/issued/shop.example";
          context.reset(SSL_CTX_new(TLS_server_method()));
          SSL_CTX_use_certificate_chain_file(context.get(), (base + ".pem").c_str());
          SSL_CTX_use_PrivateKey_file(context.get(), (base + ".key").c_str(), SSL_FILETYPE_PEM);
          SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
        }
        crypto::SslPtr ssl(SSL_new(context.get()));
        SSL_set_fd(ssl.get(), pair.fds[0]);
        SSL_set_accept_state(ssl.get());
        return ssl;
      },
      [](crypto::SslPtr& ssl) { return SSL_do_handshake(ssl.get()) == 1; });
}
BENCHMARK(tls_handshake_server_openssl_alone);

void tls_request_and_answer(benchmark::State& state) {
  Pair pair;
  pair.connect();
  const std::string question(200, 'q'), answer(1000, 'a');
  char buffer[64 * 1024];
  for (auto _ : state) {
    state.PauseTiming();
    pair.theirs->write(question);
    state.ResumeTiming();
    pair.ours->readable();
    benchmark::DoNotOptimize(pair.ours->read(buffer));
    benchmark::DoNotOptimize(pair.ours->read(buffer));
    pair.ours->write(answer);
    state.PauseTiming();
    pair.theirs->readable();
    pair.theirs->read(buffer);
    state.ResumeTiming();
  }
  pair.close();
}
BENCHMARK(tls_request_and_answer);

}  // namespace
