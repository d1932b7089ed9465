// routes
#include <fmt/format.h>

#include <algorithm>

#include "app/config/patterns.h"
#include "app/config/scalars.h"
#include "app/config/table.h"
#include "base/file.h"
#include "schema/openapi_model.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

const Object& match_object() {
  static const Object object = Object::of<MatchConfig>(
      "match", "All that is given must hold. The most specific route wins, whatever the order in the file.",
      {
          key<&MatchConfig::hosts>("hosts", one_or_list_of(host_pattern()),
                                   "Host names; *.shop.example takes any subdomain.",
                                   {.example = "[shop.example]", .default_note = "any"}),
          key<&MatchConfig::path>("path", path_pattern(),
                                  "/a/b is that path, /a/* and /a/{id} one more segment, /a/** the rest, /a included."),
          key<&MatchConfig::methods>("methods", one_or_list_of(method()),
                                     "Methods. HEAD is admitted where it is listed.",
                                     {.example = "[GET]", .default_note = "any"}),
          key<&MatchConfig::headers>("headers", header_matches(), "Header fields with exact values; true: any value.",
                                     {.example = "{ x-api: \"2\" }"}),
          key<&MatchConfig::query>("query", query_matches(), "Query parameters with exact values.",
                                   {.example = "{ version: \"2\" }"}),
      });
  return object;
}

// `service: orders`: one service with all the traffic.
Kind<RouteConfig> single_service() {
  const Kind<std::uint32_t> reference = service_name();
  class SingleService final : public AnyKind {
   public:
    explicit SingleService(Kind<std::uint32_t> reference_kind) : reference_(std::move(reference_kind)) {}
    bool read(Reader& reader, const YamlNode& node, void* into) const override {
      WeightedService one;
      if (!reference_.any->read(reader, node, &one.service)) return false;
      static_cast<RouteConfig*>(into)->services.push_back(one);
      return true;
    }
    void write(const Writer& writer, const void* from, Json& to) const override {
      const auto& services = static_cast<const RouteConfig*>(from)->services;
      if (services.size() == 1) reference_.any->write(writer, &services[0].service, to);
    }
    void schema(Json& to, Json& definitions) const override { reference_.any->schema(to, definitions); }
    std::string title() const override { return reference_.any->title(); }

   private:
    Kind<std::uint32_t> reference_;
  };
  return {std::make_shared<SingleService>(reference)};
}

Kind<RouteConfig> weighted_services() {
  static const Object item = Object::of<WeightedService>(
      "weighted_service", "A share of a route's traffic.",
      {
          key<&WeightedService::service>("name", service_name(), "The service.", {.example = "app", .required = true}),
          key<&WeightedService::weight>("weight", integer<std::uint32_t>(0, 65535), "Its share; 0 takes none."),
      });
  class WeightedServices final : public AnyKind {
   public:
    bool read(Reader& reader, const YamlNode& node, void* into) const override {
      std::vector<WeightedService> services;
      const bool good = list_.any->read(reader, node, &services);
      auto& all = static_cast<RouteConfig*>(into)->services;
      all.insert(all.end(), services.begin(), services.end());
      return good;
    }
    void write(const Writer& writer, const void* from, Json& to) const override {
      const auto& services = static_cast<const RouteConfig*>(from)->services;
      if (services.size() > 1) list_.any->write(writer, &services, to);
    }
    void schema(Json& to, Json& definitions) const override { list_.any->schema(to, definitions); }
    std::string title() const override { return list_.any->title(); }
    const Object* nested() const override { return list_.any->nested(); }
    std::string_view nesting() const override { return "[]"; }

   private:
    Kind<std::vector<WeightedService>> list_ = list_of(block<WeightedService>(item), 1);
  };
  return {std::make_shared<WeightedServices>()};
}

const Object& access_object() {
  static const Object object = Object::of<AccessConfig>(
      "access", "Who may call. All that is given must hold.",
      {
          key<&AccessConfig::roles>("roles", one_or_list_of(text(256)), "One of these roles.",
                                    {.example = "[customer]"}),
          key<&AccessConfig::scopes>("scopes", one_or_list_of(text(256)), "All of these scopes.",
                                     {.example = "[orders:read]"}),
          key<&AccessConfig::audience>("audience", text(256), "The token must be meant for this audience.",
                                       {.example = "shop"}),
          key<&AccessConfig::login>("login", boolean(),
                                    "People sign in: pages are sent to the provider, the session is a cookie."),
          key<&AccessConfig::mfa>("mfa", boolean(), "A second factor in this session."),
          key<&AccessConfig::mfa_max_age>("mfa_max_age", duration(1s, 24h * 365),
                                          "How fresh the second factor must be."),
      });
  return object;
}

void check_rewrite(Reader& reader, const Given& given, RewriteConfig&) {
  for (const char* other : {"strip_prefix", "add_prefix"}) {
    if (!given.has("path") || !given.has(other)) continue;
    reader.error(given.key(other), "conflict", fmt::format("{} with path", other),
                 "path replaces the whole path: keep one of them");
  }
}

Kind<std::string> path_prefix() {
  return text_form<std::string>(
      {.title = "path",
       .pattern = "^/",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const bool clean = std::all_of(written.begin(), written.end(), [](char c) {
           return c > 0x20 && c < 0x7F && std::string_view("?#\\\"<>{}*").find(c) == std::string_view::npos;
         });
         if (!written.starts_with('/') || !clean || written.size() > 2048) {
           return Refusal{fmt::format("\"{}\" is not a path", written.substr(0, 80)), "/v1"};
         }
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

const Object& rewrite_object() {
  static const Object object =
      Object::of<RewriteConfig>(
          "rewrite", "What the service sees instead of the client's path and host.",
          {
              key<&RewriteConfig::strip_prefix>("strip_prefix", path_prefix(), "Removed from the front of the path.",
                                                {.example = "/orders"}),
              key<&RewriteConfig::add_prefix>("add_prefix", path_prefix(), "Put in front of the path.",
                                              {.example = "/v1"}),
              key<&RewriteConfig::path>("path", path_prefix(), "Replaces the path as a whole.",
                                        {.example = "/v1/orders"}),
              key<&RewriteConfig::host>("host", domain_name(), "The Host sent to the service.",
                                        {.example = "orders.internal", .default_note = "the client's"}),
          })
          .with_check<RewriteConfig>(check_rewrite);
  return object;
}

template <bool request>
const Object& header_edit_object() {
  static const Object object = Object::of<HeaderEdit>(
      request ? "request_headers" : "response_headers",
      request ? "Of the request, before it goes to the service." : "Of the answer, before it goes to the client.",
      {
          key<&HeaderEdit::set>(
              "set", header_values(request),
              "Replaces fields of these names. A value under a name such as authorization is a secret.",
              {.example = "{ x-from: gatehouse }"}),
          key<&HeaderEdit::add>("add", header_values(request), "Added beside fields of the same name.",
                                {.example = "{ x-tag: edge }"}),
          key<&HeaderEdit::remove>("remove", one_or_list_of(header_name()), "Removed.", {.example = "[x-debug]"}),
      });
  return object;
}

const Object& headers_object() {
  static const Object object =
      Object::of<RouteConfig>("header_edits", "Header fields that a route changes.",
                              {
                                  key<&RouteConfig::request_headers>(
                                      "request", block<HeaderEdit>(header_edit_object<true>()), "Of the request."),
                                  key<&RouteConfig::response_headers>(
                                      "response", block<HeaderEdit>(header_edit_object<false>()), "Of the answer."),
                              });
  return object;
}

Kind<std::string> origin() {
  return text_form<std::string>(
      {.title = "origin or `*`",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const std::size_t scheme = written.find("://");
         const bool whole = written == "*" || written == "null";
         if (!whole &&
             (scheme == std::string_view::npos || scheme == 0 || !parse_host_port(written.substr(scheme + 3), 0))) {
           const bool slash = written.ends_with('/');
           return Refusal{fmt::format("\"{}\" is not an origin", written.substr(0, 120)),
                          slash ? "an origin has no slash at its end"
                                : "scheme://host or scheme://host:port, such as https://shop.example"};
         }
         into = lower(written);
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

void check_cors(Reader& reader, const Given& given, CorsConfig& cors) {
  const auto star = std::find(cors.origins.begin(), cors.origins.end(), "*");
  if (star == cors.origins.end() || !cors.credentials || !given.good({"origins", "credentials"})) return;
  reader.error(given.at("origins"), "conflict", "origins \"*\" with credentials: true",
               "any site could act as your users; list the origins that need it");
}

const Object& cors_object() {
  static const Object object =
      Object::of<CorsConfig>(
          "cors", "Which other sites' scripts may read the answers (Fetch standard).",
          {
              key<&CorsConfig::origins>("origins", one_or_list_of(origin(), 1), "Exact origins, or \"*\".",
                                        {.example = "[https://shop.example]", .required = true}),
              key<&CorsConfig::methods>("methods", one_or_list_of(method()), "Methods beyond the simple ones.",
                                        {.example = "[PUT]"}),
              key<&CorsConfig::headers>("headers", one_or_list_of(header_name()), "Request headers that may be sent.",
                                        {.example = "[x-api]"}),
              key<&CorsConfig::expose>("expose", one_or_list_of(header_name()), "Response headers that may be read.",
                                       {.example = "[x-total]"}),
              key<&CorsConfig::credentials>("credentials", boolean(), "Cookies and authorization may be sent along."),
              key<&CorsConfig::max_age>("max_age", duration(0s, 24h),
                                        "How long a browser may remember the answer to a preflight."),
          })
          .with_check<CorsConfig>(check_cors);
  return object;
}

const Object& compression_object() {
  static const Object object =
      Object::of<CompressionConfig>(
          "compression", "Of answers that the service didn't compress.",
          {
              key<&CompressionConfig::enabled>("enabled", boolean(), "Whether answers are compressed."),
              key<&CompressionConfig::algorithms>("algorithms", list_of(word_of({"zstd", "br", "gzip"}), 1),
                                                  "In the order of preference."),
              key<&CompressionConfig::min_bytes>("min_bytes", size<std::uint32_t>(0, 1 << 30),
                                                 "Shorter answers stay as they are."),
              key<&CompressionConfig::types>("types", list_of(text(128), 1),
                                             "Content types; text/* takes all of a kind."),
              key<&CompressionConfig::with_credentials>(
                  "with_credentials", boolean(),
                  "Also where cookies or authorization make it possible to guess secrets from sizes (BREACH)."),
          })
          .with_shorthand("enabled");
  return object;
}

const Object& websocket_object() {
  static const Object object =
      Object::of<WebSocketConfig>(
          "websocket", "Tunnels that open after the service's 101, with bounds inside.",
          {
              key<&WebSocketConfig::enabled>("enabled", boolean(), "Whether Upgrade: websocket is let through."),
              key<&WebSocketConfig::message_bytes>("message_bytes", size<std::uint64_t>(1, 1ULL << 40),
                                                   "Size of one message."),
              key<&WebSocketConfig::messages_per_second>("messages_per_second", integer<std::uint32_t>(0, 10'000'000),
                                                         "From the client; 0: no bound."),
              key<&WebSocketConfig::idle_timeout>("idle_timeout", duration(1s, 24h), "Without a message either way."),
          })
          .with_shorthand("enabled");
  return object;
}

const Object& mirror_object() {
  static const Object object =
      Object::of<MirrorConfig>("mirror", "Copies of requests to another service, whose answers are thrown away.",
                               {
                                   key<&MirrorConfig::service>("service", service_name(), "Where copies go.",
                                                               {.example = "app", .required = true}),
                                   key<&MirrorConfig::percent>("percent", number(0, 100), "Share of the requests."),
                               })
          .with_shorthand("service");
  return object;
}

Kind<std::string> header_or_off() {
  return text_form<std::string>(
      {.title = "header value or `off`",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const bool clean = std::all_of(written.begin(), written.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
         if (!clean || written.empty() || written.size() > 8192) return Refusal{"not a header value", {}};
         into = written == "off" ? std::string_view() : written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value.empty() ? "off" : value; }});
}

const Object& security_headers_object() {
  static const Object object =
      Object::of<SecurityHeadersConfig>(
          "security_headers", "Added where the service didn't send its own.",
          {
              key<&SecurityHeadersConfig::enabled>("enabled", boolean(), "Whether they are added."),
              key<&SecurityHeadersConfig::hsts>("hsts", header_or_off(), "Strict-Transport-Security, on TLS only."),
              key<&SecurityHeadersConfig::frame_options>("frame_options", header_or_off(), "X-Frame-Options."),
              key<&SecurityHeadersConfig::content_security_policy>("content_security_policy", header_or_off(),
                                                                   "Content-Security-Policy."),
              key<&SecurityHeadersConfig::referrer_policy>("referrer_policy", header_or_off(), "Referrer-Policy."),
          })
          .with_shorthand("enabled");
  return object;
}

// The document is part of the configuration: what is wrong in it is wrong here, and a reload keeps the old one.
void read_document(Reader& reader, const Given& given, OpenApiConfig& openapi) {
  if (openapi.document.empty() || !reader.options().check_files || !given.good({"document", "base_path"})) return;
  for (const RouteConfig& other : reader.config().routes) {
    if (!other.openapi || &*other.openapi == &openapi || other.openapi->document != openapi.document ||
        other.openapi->base_path != openapi.base_path) {
      continue;
    }
    openapi.model = other.openapi->model;
    return;  // it has been read, and its errors told
  }
  const auto text = read_file(openapi.document, schema::kDocumentBytesMax);
  if (!text) {
    reader.error(given.at("document"), "openapi", text.error().message);
    return;
  }
  std::vector<schema::Problem> problems;
  openapi.model = schema::OpenApiModel::read(*text, {.base_path = openapi.base_path}, problems);
  for (schema::Problem& problem : problems) {
    const bool error = problem.severity == schema::Problem::Severity::error;
    reader.report_in(openapi.document, line_of(*text, problem.position.line),
                     error ? Severity::error : Severity::warning, problem.position, "openapi",
                     std::move(problem.message), std::move(problem.hint));
  }
}

const Object& openapi_object() {
  static const Object object =
      Object::of<OpenApiConfig>(
          "openapi", "The requests that the service understands, by its OpenAPI document; all others are refused.",
          {
              key<&OpenApiConfig::document>("document", file_path(), "OpenAPI 3.0 or 3.1, in YAML or JSON.",
                                            {.example = "shop.yaml", .required = true}),
              key<&OpenApiConfig::base_path>("base_path", path_prefix(),
                                             "In front of the document's paths, as the service sees them.",
                                             {.example = "/v1", .default_note = "the paths of the document's servers"}),
              key<&OpenApiConfig::unknown_parameters>(
                  "unknown_parameters",
                  one_of<UnknownParameters>(
                      {{"refuse", UnknownParameters::refuse}, {"report", UnknownParameters::report}}),
                  "What becomes of query parameters, form fields and JSON members that the document doesn't know."),
          })
          .with_shorthand("document")
          .with_check<OpenApiConfig>(read_document);
  return object;
}

void check_services(Reader& reader, const Given& given, const RouteConfig& route) {
  if (given.has("service") && given.has("services")) {
    reader.error(given.key("services"), "conflict", "service and services at once",
                 "keep one: service takes all, services splits by weight");
    return;
  }
  if (!given.good({"service", "services"})) return;
  if (!given.has("service") && !given.has("services")) {
    reader.error(given.block(), "missing_key", "missing key \"service\"", "name the service that answers");
    return;
  }
  const bool any =
      std::any_of(route.services.begin(), route.services.end(), [](const auto& s) { return s.weight > 0; });
  if (!any)
    reader.error(given.at("services"), "value", "all weights are zero: no service would take traffic",
                 "give one a weight");
  for (std::size_t i = 0; i < route.services.size() && i < 1000; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (route.services[i].service != route.services[j].service) continue;
      reader.error(given.value("services")->items()[i].position(), "conflict", "the service is there twice",
                   "add up the weights");
      break;
    }
  }
}

// A service of high sensitivity turns on every layer; a route to it can't turn one off.
void check_sensitivity(Reader& reader, const Given& given, const RouteConfig& route) {
  const auto& services = reader.config().services;
  const auto high = std::find_if(route.services.begin(), route.services.end(), [&](const WeightedService& s) {
    return s.service < services.size() && services[s.service].sensitivity == Sensitivity::high;
  });
  if (high == route.services.end() || !given.good({"service", "services"})) return;
  const std::string why =
      fmt::format("the service \"{}\" has high sensitivity: use enforce or monitor", services[high->service].name);
  if (route.waf.mode == Mode::off)
    reader.error(given.at("waf"), "conflict", "waf: off for a service of high sensitivity", why);
  for (const auto& [layer, mode] : route.modes) {
    if (mode != Mode::off) continue;
    for (const LayerName& known : layer_names()) {
      if (known.layer != layer) continue;
      const codec::YamlEntry* entry = given.value("layers")->find(known.name);
      reader.error(entry->value.position(), "conflict",
                   fmt::format("{}: off for a service of high sensitivity", known.name), why);
    }
  }
}

void check_route(Reader& reader, const Given& given, RouteConfig& route) {
  check_services(reader, given, route);
  check_sensitivity(reader, given, route);
  if (route.is_public && given.has("access") && route.access != AccessConfig{}) {
    reader.error(given.key("access"), "conflict", "access on a public route",
                 "a public route asks nobody who they are: remove public or access");
  }
  if (route.mirror && route.services.size() == 1 && route.services[0].service == route.mirror->service &&
      given.good({"service", "mirror"})) {
    reader.warning(given.key("mirror"), "value", "the mirror is the route's own service: it gets these requests twice",
                   "name another service");
  }
}

}  // namespace

const Object& route_object() {
  static const Object object =
      Object::of<RouteConfig>(
          "route", "Which requests go where, and what must hold for them.",
          {
              key<&RouteConfig::name>("name", name(), "In logs, metrics and rate-limit keys.",
                                      {.example = "all", .required = true}),
              key<&RouteConfig::match>("match", block<MatchConfig>(match_object()), "Which requests."),
              key_of<RouteConfig>("service", single_service(), "The service that answers.",
                                  {.example = "app", .shown = true}),
              key_of<RouteConfig>("services", weighted_services(), "Instead of service: several, by weight.",
                                  {.example = "[{ name: app, weight: 90 }, { name: next, weight: 10 }]"}),
              key<&RouteConfig::zones>(
                  "zones", one_or_list_of(zone_name(), 1), "The zones it may be called from.",
                  {.example = "[external, corporate]", .default_note = "the zone of the listener"}),
              key<&RouteConfig::is_public>("public", boolean(), "true: no authentication."),
              key<&RouteConfig::access>("access", block<AccessConfig>(access_object()), "Who may call it."),
              key<&RouteConfig::rate_limit>("rate_limit", list_of(block<RateLimitConfig>(rate_limit_object())),
                                            "Limits of this route, after those of all routes."),
              key<&RouteConfig::waf>("waf", block<RouteWafConfig>(route_waf_object()),
                                     "What this route changes of the WAF.", {.default_note = "as under waf"}),
              key<&RouteConfig::rewrite>("rewrite", block<RewriteConfig>(rewrite_object()),
                                         "Path and host for the service."),
              key_of<RouteConfig>("headers", block<RouteConfig>(headers_object()),
                                  "Header fields to set, add and remove."),
              key<&RouteConfig::timeout>("timeout", optional(duration(1ms, 24h)),
                                         "For the whole exchange, retries included.",
                                         {.example = "10s", .default_note = "the service's timeouts only"}),
              key<&RouteConfig::body_bytes>("body_bytes", optional(size<std::uint64_t>(0, 1ULL << 50)),
                                            "Size of a request's body.",
                                            {.example = "1MiB", .default_note = "the listener's"}),
              key<&RouteConfig::cors>("cors", optional(block<CorsConfig>(cors_object())), "Cross-origin requests.",
                                      {.default_note = "same origin only"}),
              key<&RouteConfig::compression>("compression", block<CompressionConfig>(compression_object()),
                                             "Compression of answers."),
              key<&RouteConfig::websocket>("websocket", block<WebSocketConfig>(websocket_object()),
                                           "WebSocket tunnels."),
              key<&RouteConfig::mirror>("mirror", optional(block<MirrorConfig>(mirror_object())), "Shadow traffic.",
                                        {.default_note = "none"}),
              key<&RouteConfig::security_headers>("security_headers",
                                                  block<SecurityHeadersConfig>(security_headers_object()),
                                                  "Security headers of answers."),
              key<&RouteConfig::openapi>("openapi", optional(block<OpenApiConfig>(openapi_object())),
                                         "A positive model: what is not described is refused.",
                                         {.default_note = "none"}),
              key<&RouteConfig::allow_encoded_slash>("allow_encoded_slash", boolean(),
                                                     "Accept %2F in the path, still encoded."),
              key<&RouteConfig::modes>("layers", layer_modes(), "Modes of layers for this route.",
                                       {.example = "{ rate: monitor }"}),
          })
          .with_check<RouteConfig>(check_route);
  return object;
}

}  // namespace gatehouse::app
