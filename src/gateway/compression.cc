#include "gateway/compression.h"

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/shared_state.h"
#include "gateway/vary.h"

namespace gatehouse::gateway {
namespace {

using http::equals_ignoring_case;

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A weight in thousandths (RFC 9110 §12.4.2); nothing when it isn't one.
std::optional<int> weight_of(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int thousandths = (text[0] - '0') * 1000, unit = 100;
  for (const char c : text.substr(std::min<std::size_t>(text.size(), 2))) {
    if (c < '0' || c > '9') return std::nullopt;
    thousandths += (c - '0') * unit;
    unit /= 10;
  }
  return thousandths <= 1000 ? std::optional(thousandths) : std::nullopt;
}

Coding coding_of(std::string_view name) noexcept {
  if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) return Coding::gzip;
  if (equals_ignoring_case(name, "br")) return Coding::br;
  if (equals_ignoring_case(name, "zstd")) return Coding::zstd;
  return Coding::identity;
}

// "text/html; charset=utf-8" against "text/*" or "application/json".
bool is_listed_type(std::string_view content_type, const std::vector<std::string>& types) noexcept {
  const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
  return std::any_of(types.begin(), types.end(), [&](std::string_view pattern) {
    if (pattern.ends_with("/*")) {
      pattern.remove_suffix(1);
      return type.size() > pattern.size() && equals_ignoring_case(type.substr(0, pattern.size()), pattern);
    }
    return equals_ignoring_case(type, pattern);
  });
}

bool is_event_stream(std::string_view content_type) noexcept {
  return equals_ignoring_case(trimmed(content_type.substr(0, content_type.find(';'))), "text/event-stream");
}

bool carries_secrets(const Request& request, const http::Fields& response) noexcept {
  return request.message.fields.has("cookie") || request.message.fields.has("authorization") ||
         request.principal.method != AuthMethod::none || response.has("set-cookie");
}

bool may_transform(const Request& request, const http::ResponseHead& response, const CompressionConfig& config) {
  if (request.message.method == "HEAD" || request.message.method == "CONNECT") return false;
  if (response.status < 200 || response.status == 204 || response.status == 205 || response.status == 206 ||
      response.status == 304) {
    return false;
  }
  if (response.content_length && *response.content_length < config.min_bytes) return false;
  static constexpr std::array<std::string_view, 6> kFixed{"content-encoding", "content-range", "content-md5",
                                                          "content-digest",   "repr-digest",   "digest"};
  for (const std::string_view name : kFixed) {
    if (response.fields.has(name)) return false;
  }
  if (response.fields.has_token("cache-control", "no-transform")) return false;
  const auto type = response.fields.get("content-type");
  return type && is_listed_type(*type, config.types);
}

// Gives the place back when the response is done.
class CountedEncoder final : public Encoder {
 public:
  CountedEncoder(std::unique_ptr<Encoder> encoder, Gauge& encoders) noexcept
      : encoder_(std::move(encoder)), encoders_(encoders) {}
  ~CountedEncoder() override { encoders_.release(); }
  bool encode(std::string_view in, http::End end, std::string& out) override { return encoder_->encode(in, end, out); }
  Coding coding() const noexcept override { return encoder_->coding(); }

 private:
  std::unique_ptr<Encoder> encoder_;
  Gauge& encoders_;
};

}  // namespace

std::string_view name_of(Coding coding) noexcept {
  switch (coding) {
    case Coding::gzip: return "gzip";
    case Coding::br: return "br";
    case Coding::zstd: return "zstd";
    case Coding::identity: break;
  }
  return "identity";
}

Coding preferred_coding(std::string_view accept_encoding, std::span<const std::string> ours) noexcept {
  std::array<std::optional<int>, 4> weights;  // by Coding
  std::optional<int> any;
  while (!accept_encoding.empty()) {
    const std::string_view element = accept_encoding.substr(0, accept_encoding.find(','));
    accept_encoding.remove_prefix(std::min(element.size() + 1, accept_encoding.size()));
    const std::string_view name = trimmed(element.substr(0, element.find(';')));
    int weight = 1000;
    if (const std::size_t semicolon = element.find(';'); semicolon != std::string_view::npos) {
      const std::string_view parameter = trimmed(element.substr(semicolon + 1));
      const bool is_weight =
          parameter.size() > 2 && (parameter[0] == 'q' || parameter[0] == 'Q') && parameter[1] == '=';
      // What we cannot read doesn't ask for anything.
      weight = is_weight ? weight_of(parameter.substr(2)).value_or(0) : 0;
    }
    if (name == "*") {
      any = weight;
    } else if (const Coding coding = coding_of(name);
               coding != Coding::identity || equals_ignoring_case(name, "identity")) {
      weights[std::size_t(coding)] = weight;
    }
  }
  Coding best = Coding::identity;
  // Identity is acceptable unless refused, but any coding that was asked for is better; an explicit weight counts.
  int best_weight = weights[std::size_t(Coding::identity)].value_or(0);
  bool chosen = false;
  for (const std::string& name : ours) {
    const Coding coding = coding_of(name);
    const int weight = weights[std::size_t(coding)].value_or(any.value_or(0));
    if (coding == Coding::identity || weight == 0) continue;
    if (weight > best_weight || (!chosen && weight == best_weight)) best = coding, best_weight = weight, chosen = true;
  }
  return best;
}

std::unique_ptr<Encoder> choose_encoder(Request& request, http::ResponseHead& response, Gauge& encoders) {
  if (request.route == nullptr || !request.route->compression.enabled) return nullptr;
  const CompressionConfig& config = request.route->compression;
  if (!may_transform(request, response, config)) return nullptr;
  if (!config.with_credentials && carries_secrets(request, response.fields)) return nullptr;
  add_vary(request.arena, response.fields, "accept-encoding");
  const auto accepted = request.message.fields.get("accept-encoding");
  if (!accepted || request.message.fields.count("accept-encoding") > 1) return nullptr;
  const Coding coding = preferred_coding(*accepted, config.algorithms);
  if (coding == Coding::identity || !encoders.acquire(kEncodersMax)) return nullptr;

  const std::string_view type = *response.fields.get("content-type");
  const bool flush_each = !response.content_length || is_event_stream(type);
  auto encoder = make_encoder(coding, response.content_length.value_or(0), flush_each);
  if (encoder == nullptr) {
    encoders.release();
    return nullptr;
  }
  response.content_length.reset();
  response.fields.remove("content-length");
  response.fields.remove("accept-ranges");
  response.fields.set("content-encoding", name_of(coding));
  // Another representation, so another strong validator; the weak one still holds (RFC 9110 §8.8.3).
  if (const auto etag = response.fields.get("etag"); etag && !etag->starts_with("W/")) {
    response.fields.set("etag", request.arena.copy("W/" + std::string(*etag)));
  }
  return std::make_unique<CountedEncoder>(std::move(encoder), encoders);
}

}  // namespace gatehouse::gateway
