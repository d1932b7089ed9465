// The price of knowing who asks: a token that is known, one that isn't, an API key, somebody's session, and telling the
// service.
#include <benchmark/benchmark.h>

#include "gateway/layers/authentication/authentication_layer.h"
#include "gateway/layers/authentication/upstream_identity.h"
#include "gateway/login/logins.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::gateway;

constexpr std::string_view kSecret = "gh_ci_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct Bench {
  Bench() : signer(crypto::SigningKey::generate()) {
    JwtIssuerConfig issuer;
    issuer.name = "main";
    issuer.issuer = "https://login.example";
    issuer.audience = {"shop"};
    config.trust_domain = "shop.example";
    config.authentication.jwt = {issuer};
    config.authentication.api_keys = ApiKeysConfig{};
    auto keys = std::make_shared<IssuerKeys>();
    keys->publish(*crypto::KeySet::parse(signer.public_jwks()));
    auto api_keys = std::make_shared<ApiKeySource>();
    ApiKeySet set;
    ApiKeyEntry entry;
    entry.id = "ci";
    entry.hash = crypto::sha256(kSecret);
    if (!set.add(entry)) std::abort();
    api_keys->publish(std::move(set));
    layer = std::make_unique<AuthenticationLayer>(config, KeySource{keys}, api_keys);
    identity = std::make_unique<UpstreamIdentity>(
        config, std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate()));
  }
  std::string token(int user) const {
    return "Bearer " + signer.sign(fmt::format(
                           R"({{"iss":"https://login.example","aud":"shop","sub":"user{}","roles":["customer"],)"
                           R"("scope":"orders:read orders:write","iat":1750000000,"exp":1750000600}})",
                           user));
  }
  // One request through the layer, and through `identity` when asked.
  bool ask(std::string_view name, std::string_view value, bool tell) {
    arena.reset();
    Request request(arena, record);
    request.config = &config;
    request.route = &route;
    request.wall = WallTime(std::chrono::seconds(1'750'000'100));
    request.message.fields.reserve(8);
    request.message.fields.add(name, value);
    const Decision decision = layer->decide(request);
    if (tell) identity->apply(request, "orders", request.message.fields);
    return decision.verdict == Verdict::pass;
  }

  crypto::SigningKey signer;
  Config config;
  RouteConfig route;
  std::unique_ptr<AuthenticationLayer> layer;
  std::unique_ptr<UpstreamIdentity> identity;
  Arena arena;
  telemetry::DecisionRecord record;
};

class NobodyRevoked final : public RevokedSessions {
 public:
  bool covers(const LoginName&, WallTime, WallTime) const noexcept override { return false; }
  Status end(const LoginName&) override { return {}; }
};
class NoProvider final : public TokenEndpoint {
 public:
  std::shared_ptr<const ProviderMetadata> provider() const override { return nullptr; }
  Result<Answer> ask(std::string_view) override { return fail(ErrorCode::unavailable, "none"); }
};

// Its cookie has been opened before; what is over is asked each time.
void known_session(benchmark::State& state) {
  Bench bench;
  const CookieSealer sealer({{1, SecretBytes(std::string(32, 'k'))}}, 1);
  NobodyRevoked revoked;
  NoProvider provider;
  net::WorkerPool pool("bench", 1, 8);
  FakeClock clock;
  const auto logins =
      std::make_shared<Logins>(LoginConfig{}, LoginParts{sealer, revoked, provider, pool, pool, pool, clock});
  SignedIn ann;
  ann.user = "01m8kftn72vbhsa5jg5cqn2qyb";
  ann.sid = "VX9bVcd_sx6o_AuMjnZi6g";
  ann.roles = {"customer"};
  ann.scopes = {"openid", "profile"};
  ann.refresh_token = std::string(43, 'r');
  const std::string cookie = fmt::format("{}={}", kSessionCookie, logins->open_session(ann, "shop.example"));
  for (auto _ : state) {
    bench.arena.reset();
    Request request(bench.arena, bench.record);
    request.wall = clock.wall();
    request.message.authority = "shop.example";
    request.message.fields.add("cookie", cookie);
    if (logins->authenticate(request) != Logins::Found::session) state.SkipWithError("not known");
    benchmark::DoNotOptimize(request.principal);
  }
}
BENCHMARK(known_session);

void known_token(benchmark::State& state) {
  Bench bench;
  const std::string token = bench.token(1);
  for (auto _ : state) {
    if (!bench.ask("authorization", token, false)) state.SkipWithError("refused");
  }
}
BENCHMARK(known_token);

void known_tokens_of_4096_users(benchmark::State& state) {
  Bench bench;
  std::vector<std::string> tokens;
  for (int i = 0; i < 4096; ++i) tokens.push_back(bench.token(i));
  for (const std::string& token : tokens) bench.ask("authorization", token, false);
  std::size_t i = 0;
  for (auto _ : state) {
    if (!bench.ask("authorization", tokens[i++ % tokens.size()], false)) state.SkipWithError("refused");
  }
}
BENCHMARK(known_tokens_of_4096_users);

void new_token(benchmark::State& state) {
  Bench bench;
  int user = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::string token = bench.token(user++);
    state.ResumeTiming();
    if (!bench.ask("authorization", token, false)) state.SkipWithError("refused");
  }
}
BENCHMARK(new_token);

void api_key(benchmark::State& state) {
  Bench bench;
  for (auto _ : state) {
    if (!bench.ask("x-api-key", kSecret, false)) state.SkipWithError("refused");
  }
}
BENCHMARK(api_key);

void known_token_and_identity_for_the_service(benchmark::State& state) {
  Bench bench;
  const std::string token = bench.token(1);
  for (auto _ : state) {
    if (!bench.ask("authorization", token, true)) state.SkipWithError("refused");
  }
}
BENCHMARK(known_token_and_identity_for_the_service);

void request_alone(benchmark::State& state) {  // what the figures above contain of the bench itself
  Bench bench;
  for (auto _ : state) {
    bench.arena.reset();
    Request request(bench.arena, bench.record);
    request.message.fields.reserve(8);
    request.message.fields.add("authorization", "x");
    benchmark::DoNotOptimize(request);
  }
}
BENCHMARK(request_alone);

}  // namespace
