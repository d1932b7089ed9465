#include "app/config/patterns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "gateway/routing/pattern.h"

namespace gatehouse::app {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

bool is_clean_value(std::string_view value) {
  return value.size() <= 8192 && std::none_of(value.begin(), value.end(), [](char c) {
           return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
         });
}

Parsed parse_host(Reader&, std::string_view written, YamlPosition, std::string& into) {
  std::string_view name = written;
  if (written == "*") return Refusal{"\"*\" matches every host", "leave hosts out for that"};
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.find('*') != std::string_view::npos) {
    return Refusal{in_quotes(written) + " is not a host pattern",
                   "a wildcard stands for the first labels only: *.shop.example"};
  }
  if (const auto ip = IpAddress::parse(written)) return into = ip->to_string(), std::nullopt;
  if (parse_host_port(name, std::nullopt))
    return Refusal{in_quotes(written) + " holds a port", "hosts are matched without their port"};
  if (name.find("://") != std::string_view::npos)
    return Refusal{in_quotes(written) + " is a URL", "write the host name alone"};
  if (!is_domain_name(name))
    return Refusal{in_quotes(written) + " is not a host name", "shop.example or *.shop.example"};
  if (const auto pattern = gateway::HostPattern::parse(written); !pattern) return Refusal{pattern.error().message, {}};
  into = lower(written);
  return std::nullopt;
}

// One segment of a path pattern: literal, `*`, `{name}`; `**` only at the end.
Parsed check_segment(std::string_view segment, bool last) {
  if (segment == "**") return last ? Parsed() : Refusal{"\"**\" must be the last segment", "use * for one segment"};
  if (segment == "*") return std::nullopt;
  if (segment == "." || segment == "..") return Refusal{"dot segments never match: requests are resolved first", {}};
  if (segment.starts_with('{')) {
    const std::string_view inner = segment.substr(1, segment.size() - 2);
    const bool good = segment.ends_with('}') && !inner.empty() &&
                      inner.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                          std::string_view::npos;
    if (!good) return Refusal{in_quotes(segment) + " is not a path variable", "{id}: letters, digits and '_'"};
    return std::nullopt;
  }
  if (segment.find('*') != std::string_view::npos) {
    return Refusal{"a wildcard stands for a whole segment, not a part of one", "/a/* or /a/**"};
  }
  if (segment.find_first_of("{}?#\\\" ") != std::string_view::npos) {
    return Refusal{in_quotes(segment) + " holds a character that no path has",
                   "query parameters are matched with query"};
  }
  return std::nullopt;
}

Parsed parse_path(Reader&, std::string_view written, YamlPosition, std::string& into) {
  if (!written.starts_with('/')) {
    return Refusal{in_quotes(written) + " doesn't start with \"/\"", fmt::format("did you mean /{}?", written)};
  }
  if (written.size() > 2048) return Refusal{"a path pattern can have at most 2048 bytes", {}};
  if (written.find("//") != std::string_view::npos) {
    return Refusal{in_quotes(written) + " holds an empty segment", "requests are matched with slashes merged"};
  }
  std::string_view rest = written.substr(1);
  while (true) {
    const std::size_t slash = rest.find('/');
    if (Parsed parsed = check_segment(rest.substr(0, slash), slash == std::string_view::npos)) return parsed;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  // The router has the last word: what loads must be what it can match.
  if (const auto pattern = gateway::PathPattern::parse(written); !pattern) return Refusal{pattern.error().message, {}};
  into = written;
  return std::nullopt;
}

// What both maps of names to texts share.
class PairsKind : public AnyKind {
 public:
  void schema(Json& to, Json&) const override {
    to = {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
  }

 protected:
  // The text of an entry; null when it isn't text, which was reported.
  static const std::string* text_of(Reader& reader, const YamlNode& node) {
    if (!detail::read_text(reader, node, "value", false)) return nullptr;
    if (is_clean_value(node.text())) return &node.text();
    reader.error(node.position(), "value",
                 "the value holds line breaks or control characters, or is longer than 8192 bytes");
    return nullptr;
  }
};

class HeaderMatchesKind final : public PairsKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& matches = *static_cast<std::vector<gateway::HeaderMatch>*>(into);
    if (!node.is(YamlNode::Kind::map)) return reader.wrong_type(node, "a block of header names and values");
    matches.clear();
    bool good = true;
    for (const codec::YamlEntry& entry : node.entries()) {
      if (!is_token(entry.key)) {
        good = reader.error(entry.position, "value", in_quotes(entry.key) + " is not a header name");
      } else if (entry.value.is(YamlNode::Kind::boolean) && entry.value.boolean()) {
        matches.push_back({lower(entry.key), "", true});
      } else if (const std::string* value = text_of(reader, entry.value)) {
        matches.push_back({lower(entry.key), *value, false});
      } else {
        good = false;
      }
    }
    return good;
  }
  void write(const Writer&, const void* from, Json& to) const override {
    to = Json::object();
    for (const auto& match : *static_cast<const std::vector<gateway::HeaderMatch>*>(from)) {
      to[match.name] = match.present ? Json(true) : Json(match.value);
    }
  }
  void schema(Json& to, Json&) const override {
    Json value = {{"anyOf", Json::array({Json{{"type", "string"}}, Json{{"const", true}}})}};
    to = {{"type", "object"}, {"additionalProperties", std::move(value)}};
  }
  std::string title() const override { return "map of header names to values"; }
};

class QueryMatchesKind final : public PairsKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& matches = *static_cast<Pairs*>(into);
    if (!node.is(YamlNode::Kind::map)) return reader.wrong_type(node, "a block of parameters and values");
    matches.clear();
    bool good = true;
    for (const codec::YamlEntry& entry : node.entries()) {
      const std::string* value = text_of(reader, entry.value);
      if (value != nullptr) matches.emplace_back(entry.key, *value);
      good = value != nullptr && good;
    }
    return good;
  }
  void write(const Writer&, const void* from, Json& to) const override {
    to = Json::object();
    for (const auto& [name, value] : *static_cast<const Pairs*>(from)) to[name] = value;
  }
  std::string title() const override { return "map of parameters to values"; }
};

class HeaderValuesKind final : public PairsKind {
 public:
  explicit HeaderValuesKind(bool request) : request_(request) {}

  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& values = *static_cast<Pairs*>(into);
    if (!node.is(YamlNode::Kind::map)) return reader.wrong_type(node, "a block of header names and values");
    values.clear();
    bool good = true;
    for (const codec::YamlEntry& entry : node.entries()) good = read_entry(reader, entry, values) && good;
    return good;
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    to = Json::object();
    for (const auto& [name, value] : *static_cast<const Pairs*>(from)) {
      to[name] = writer.mask_secrets && carries_secret(name) ? std::string(kMasked) : value;
    }
  }
  std::string title() const override { return "map of header names to values"; }

 private:
  bool read_entry(Reader& reader, const codec::YamlEntry& entry, Pairs& values) const {
    if (!is_token(entry.key))
      return reader.error(entry.position, "value", in_quotes(entry.key) + " is not a header name");
    const std::string name = lower(entry.key);
    // These frame, route or prove identity: written by a route they would undo what the gateway guarantees.
    static constexpr std::array<std::string_view, 8> kOurs{
        "connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"};
    if (std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end()) {
      return reader.error(entry.position, "value", fmt::format("the header {} can't be set", name),
                          name == "host" ? "use rewrite.host" : "the gateway writes it itself");
    }
    if (request_ && name.starts_with("x-gatehouse-")) {
      return reader.error(entry.position, "value", "headers that start with x-gatehouse- are Gatehouse's own");
    }
    const std::string* written = text_of(reader, entry.value);
    if (written == nullptr) return false;
    if (!carries_secret(name)) {
      if (written->find("${") != std::string::npos) {
        return reader.error(entry.value.position(), "value", "references such as ${env:NAME} are for secrets only",
                            fmt::format("the header name {} doesn't say that it carries one", name));
      }
      values.emplace_back(name, *written);
      return true;
    }
    SecretBytes secret;
    bool literal = false;
    if (!detail::refuse(reader, entry.value, resolve_secret(reader, *written, secret, literal))) return false;
    if (!is_clean_value(secret.expose())) {
      return reader.error(entry.value.position(), "value", "the secret holds line breaks or control characters");
    }
    // `authorization: ""` clears a field; that is no secret
    if (literal && request_ && !written->empty()) {
      reader.warning(entry.value.position(), "literal_secret", "a secret is written in the configuration file",
                     "use ${env:NAME} or ${file:path}, and change the secret if the file was ever shared");
    }
    values.emplace_back(name, std::string(secret.expose()));
    return true;
  }
  bool request_;
};

}  // namespace

Kind<std::string> host_pattern() {
  return text_form<std::string>({.title = "host name or *.domain",
                                 .parse = parse_host,
                                 .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::string> path_pattern() {
  return text_form<std::string>({.title = "path pattern",
                                 .pattern = "^/",
                                 .parse = parse_path,
                                 .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::vector<gateway::HeaderMatch>> header_matches() { return {std::make_shared<HeaderMatchesKind>()}; }
Kind<Pairs> query_matches() { return {std::make_shared<QueryMatchesKind>()}; }
Kind<Pairs> header_values(bool request) { return {std::make_shared<HeaderValuesKind>(request)}; }

}  // namespace gatehouse::app
