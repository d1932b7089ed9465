// rate_limit, penalties, bans, layers
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

struct RateUnit {
  std::string_view name;
  Duration window;
};
constexpr std::array<RateUnit, 4> kRateUnits{{{"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}}};

Parsed parse_rate(Reader&, std::string_view written, YamlPosition, RateLimitConfig& into) {
  static constexpr std::string_view kForms = "100/s, 1000/m, 20000/h or 50000/d";
  const std::size_t slash = written.find('/');
  const std::string_view digits = written.substr(0, slash);
  std::uint64_t count = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (failure != std::errc() || end != digits.data() + digits.size()) {
    return Refusal{in_quotes(written) + " is not a rate", std::string(kForms)};
  }
  if (slash == std::string_view::npos) {
    return Refusal{in_quotes(written) + " has no unit", fmt::format("did you mean {}/s?", count)};
  }
  for (const RateUnit& unit : kRateUnits) {
    if (written.substr(slash + 1) != unit.name) continue;
    if (count < 1 || count > 1'000'000'000) return Refusal{in_quotes(written) + " is out of bounds", "1 to 1000000000"};
    into.requests = count, into.window = unit.window, into.text = written;
    return std::nullopt;
  }
  return Refusal{in_quotes(written) + " is not a rate", std::string(kForms)};
}

constexpr std::array<std::pair<std::string_view, KeyPart>, 7> kKeyParts{{{"client_ip", KeyPart::client_ip},
                                                                         {"route", KeyPart::route},
                                                                         {"user", KeyPart::user},
                                                                         {"service", KeyPart::service},
                                                                         {"host", KeyPart::host},
                                                                         {"method", KeyPart::method},
                                                                         {"api_key", KeyPart::api_key}}};

Parsed parse_key_part(Reader&, std::string_view written, YamlPosition, RateKeyPart& into) {
  std::vector<std::string_view> names;
  for (const auto& [name, part] : kKeyParts) {
    if (name == written) return into = {part, ""}, std::nullopt;
    names.push_back(name);
  }
  if (written.starts_with("header:") && is_token(written.substr(7))) {
    return into = {KeyPart::header, lower(written.substr(7))}, std::nullopt;
  }
  names.push_back("header:NAME");
  return not_a_choice(written, names);
}

std::string format_key_part(const Writer&, const RateKeyPart& value) {
  if (value.part == KeyPart::header) return "header:" + value.header;
  for (const auto& [name, part] : kKeyParts) {
    if (part == value.part) return std::string(name);
  }
  return {};
}

// "08:00" as minutes since midnight; 1440 for "24:00".
std::optional<std::uint16_t> parse_time_of_day(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t i : {0, 1, 3, 4}) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
  }
  const int hours = (text[0] - '0') * 10 + (text[1] - '0'), minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (minutes > 59 || hours > 24 || (hours == 24 && minutes != 0)) return std::nullopt;
  return static_cast<std::uint16_t>(hours * 60 + minutes);
}

Parsed parse_hours(Reader&, std::string_view written, YamlPosition, RateLimitConfig& into) {
  const std::size_t dash = written.find('-');
  const auto from = parse_time_of_day(written.substr(0, dash));
  const auto to = dash == std::string_view::npos ? std::nullopt : parse_time_of_day(written.substr(dash + 1));
  if (!from || !to || *from == 1440)
    return Refusal{in_quotes(written) + " is not a span of hours", "\"08:00-18:00\", or \"22:00-06:00\" over midnight"};
  if (*from == *to) return Refusal{"the hours are empty: " + in_quotes(written), "leave hours out for the whole day"};
  into.hours_from = *from;
  into.hours_to = *to == 1440 ? std::uint16_t{0} : *to;  // from == to means always: 00:00-24:00 is that
  return std::nullopt;
}

std::string format_hours(const Writer&, const RateLimitConfig& value) {
  if (value.hours_from == value.hours_to) return {};
  return fmt::format("{:02}:{:02}-{:02}:{:02}", value.hours_from / 60, value.hours_from % 60, value.hours_to / 60,
                     value.hours_to % 60);
}

constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

// `days: [mon-fri, sun]`
class DaysKind final : public AnyKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    std::uint8_t days = 0;
    bool good = true;
    if (node.is(YamlNode::Kind::list) && !node.items().empty()) {
      for (const YamlNode& item : node.items()) good = read_item(reader, item, days) && good;
    } else if (node.is(YamlNode::Kind::string)) {
      good = read_item(reader, node, days);
    } else {
      good = reader.wrong_type(node, "a list of days", "[mon-fri] or [sat, sun]");
    }
    *static_cast<std::uint8_t*>(into) = days;
    return good;
  }
  void write(const Writer&, const void* from, Json& to) const override {
    const std::uint8_t days = *static_cast<const std::uint8_t*>(from);
    if ((days & 0x7F) == 0x7F) return;
    to = Json::array();
    for (std::size_t i = 0; i < kDays.size(); ++i) {
      if (days >> i & 1) to.push_back(kDays[i]);
    }
  }
  void schema(Json& to, Json&) const override {
    Json day = {{"type", "string"}, {"pattern", "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$"}};
    to = {{"anyOf", Json::array({Json{{"type", "array"}, {"items", day}, {"minItems", 1}}, day})}};
  }
  std::string title() const override { return "list of days or spans"; }

 private:
  static bool read_item(Reader& reader, const YamlNode& node, std::uint8_t& days) {
    const std::string written = lower(node.text());
    const std::size_t dash = written.find('-');
    const auto first = std::find(kDays.begin(), kDays.end(), written.substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : std::find(kDays.begin(), kDays.end(), written.substr(dash + 1));
    if (first == kDays.end() || last == kDays.end()) {
      return reader.error(node.position(), "value", in_quotes(node.text()) + " is not a day",
                          "mon, tue, wed, thu, fri, sat, sun or a span such as mon-fri");
    }
    for (auto day = first;;
         day = day + 1 == kDays.end() ? kDays.begin() : day + 1) {  // sat-mon goes over the week's end
      days = static_cast<std::uint8_t>(days | 1U << (day - kDays.begin()));
      if (day == last) return true;
    }
  }
};

void check_rate_limit(Reader& reader, const Given& given, RateLimitConfig&) {
  if (!given.good({"rate", "concurrent"})) return;
  if (given.has("rate") == given.has("concurrent")) {
    reader.error(
        given.has("rate") ? given.key("concurrent") : given.block(), given.has("rate") ? "conflict" : "missing_key",
        given.has("rate") ? "rate and concurrent in one limit" : "neither rate nor concurrent",
        given.has("rate") ? "write them as two limits" : "rate: 100/s, or concurrent: 10 for requests in flight");
  } else if (given.has("concurrent") && given.has("burst")) {
    reader.error(given.key("burst"), "conflict", "burst without rate", "a bound on requests in flight has no burst");
  }
}

Kind<std::vector<int>> statuses() { return list_of(integer<int>(400, 599), 1); }

void check_failed_logins(Reader& reader, const Given& given, FailedLoginsConfig& c) {
  if (c.delay > c.max_delay && given.good({"delay", "max_delay"})) {
    reader.error(
        given.key(given.has("delay") ? "delay" : "max_delay"), "conflict",
        fmt::format("delay {} is longer than max_delay {}", format_duration(c.delay), format_duration(c.max_delay)),
        "raise max_delay");
  }
}
void check_attacks(Reader& reader, const Given& given, AttacksConfig& c) {
  if (c.ban > c.max_ban && given.good({"ban", "max_ban"})) {
    reader.error(given.key(given.has("ban") ? "ban" : "max_ban"), "conflict",
                 fmt::format("ban {} is longer than max_ban {}", format_duration(c.ban), format_duration(c.max_ban)),
                 "raise max_ban");
  }
}

const Object& failed_logins_object() {
  static const Object object =
      Object::of<FailedLoginsConfig>(
          "failed_logins", "Answers to a client that keeps being refused come later and later.",
          {
              key<&FailedLoginsConfig::threshold>("threshold", integer<std::uint32_t>(1, 1'000'000),
                                                  "Refusals within the window before the first delay."),
              key<&FailedLoginsConfig::window>("window", duration(1s, 24h), "How long a refusal counts."),
              key<&FailedLoginsConfig::delay>("delay", duration(1ms, 10min),
                                              "The first delay; doubled with each refusal."),
              key<&FailedLoginsConfig::max_delay>("max_delay", duration(1ms, 10min), "The longest delay."),
              key<&FailedLoginsConfig::statuses>("statuses", statuses(), "Answers that count as a refusal."),
          })
          .with_check<FailedLoginsConfig>(check_failed_logins);
  return object;
}

const Object& attacks_object() {
  static const Object object =
      Object::of<AttacksConfig>(
          "attacks", "Clients that keep attacking are banned for a while, longer each time.",
          {
              key<&AttacksConfig::threshold>("threshold", integer<std::uint32_t>(1, 1'000'000),
                                             "Attacks within the window before a ban."),
              key<&AttacksConfig::window>("window", duration(1s, 24h), "How long an attack counts."),
              key<&AttacksConfig::ban>("ban", duration(1s, 24h * 365), "The first ban; doubled each time."),
              key<&AttacksConfig::max_ban>("max_ban", duration(1s, 24h * 365), "The longest ban."),
          })
          .with_check<AttacksConfig>(check_attacks);
  return object;
}

// `layers: { rate: monitor }`
class LayerModesKind final : public AnyKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& modes = *static_cast<std::vector<std::pair<telemetry::Layer, Mode>>*>(into);
    if (!node.is(YamlNode::Kind::map))
      return reader.wrong_type(node, "a block of layers and modes", "{ rate: monitor }");
    modes.clear();
    bool good = true;
    for (const codec::YamlEntry& entry : node.entries()) {
      const LayerName* known = find(entry.key);
      Mode value{};
      if (known == nullptr) {
        std::vector<std::string_view> names;
        for (const LayerName& l : layer_names()) names.push_back(l.name);
        const Refusal refusal = not_a_choice(entry.key, names);
        good =
            reader.error(entry.position, "unknown_key", fmt::format("unknown layer \"{}\"", entry.key), refusal.hint);
      } else if (mode().any->read(reader, entry.value, &value)) {
        modes.emplace_back(known->layer, value);
        if (!known->available) {
          reader.warning(entry.position, "not_available",
                         fmt::format("the {} layer isn't part of this version: nothing acts on its mode", known->name),
                         "remove it until then");
        }
      } else {
        good = false;
      }
    }
    return good;
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    to = Json::object();
    for (const auto& [layer, value] : *static_cast<const std::vector<std::pair<telemetry::Layer, Mode>>*>(from)) {
      for (const LayerName& known : layer_names()) {
        if (known.layer == layer) mode().any->write(writer, &value, to[std::string(known.name)]);
      }
    }
  }
  void schema(Json& to, Json& definitions) const override {
    Json properties = Json::object();
    for (const LayerName& known : layer_names()) {
      Json& property = properties[std::string(known.name)];
      mode().any->schema(property, definitions);
      property["description"] = known.doc;
    }
    to = {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  }
  std::string title() const override { return "map of layers to `enforce`, `monitor`, `off`"; }

 private:
  static const LayerName* find(std::string_view name) {
    for (const LayerName& known : layer_names()) {
      if (known.name == name) return &known;
    }
    return nullptr;
  }
};

}  // namespace

const std::vector<LayerName>& layer_names() {
  using telemetry::Layer;
  // http and upstream are missing: there is no request without them
  static const std::vector<LayerName> names{
      {Layer::bans, "bans", "Denied and allowed networks, timed bans.", true},
      {Layer::zone, "zone", "From where a route may be called.", true},
      {Layer::limits, "limits", "Bounds of a request.", true},
      {Layer::rate, "rate", "Rate limits.", true},
      {Layer::penalties, "penalties", "Delays and bans for those who fail.", true},
      {Layer::authentication, "authentication", "Who calls.", true},
      {Layer::authorization, "authorization", "Whether they may.", true},
      {Layer::cors, "cors", "Cross-origin requests.", true},
      {Layer::schema, "schema", "Requests against an API description.", true},
      {Layer::waf, "waf", "Inspection for attacks.", true},
      {Layer::cache, "cache", "Answers kept.", false},
      {Layer::header_policy, "header_policy", "Security headers, and headers that are removed.", true},
  };
  return names;
}

Kind<std::vector<std::pair<telemetry::Layer, Mode>>> layer_modes() { return {std::make_shared<LayerModesKind>()}; }

Kind<Mode> mode() {
  static const Kind<Mode> kind =
      one_of<Mode>({{"enforce", Mode::enforce}, {"monitor", Mode::monitor}, {"off", Mode::off}});
  return kind;
}

const Object& rate_limit_object() {
  static const Object object =
      Object::of<RateLimitConfig>(
          "rate_limit", "A rate, or a bound on requests in flight. All limits that apply must admit a request.",
          {
              key<&RateLimitConfig::key>(
                  "key",
                  one_or_list_of(
                      text_form<RateKeyPart>(
                          {.title =
                               "`client_ip`, `route`, `user`, `service`, `host`, `method`, `api_key`, `header:NAME`",
                           .pattern = "^(client_ip|route|user|service|host|method|api_key|header:.+)$",
                           .parse = parse_key_part,
                           .format = format_key_part}),
                      1),
                  "What is counted apart: one part, or several together."),
              key_of<RateLimitConfig>("rate",
                                      text_form<RateLimitConfig>(
                                          {.title = "rate",
                                           .pattern = "^[0-9]+/[smhd]$",
                                           .numbers = true,
                                           .parse = parse_rate,
                                           .format = [](const Writer&, const RateLimitConfig& r) { return r.text; }}),
                                      "100/s, 1000/m, 20000/h.", {.example = "100/s"}),
              key<&RateLimitConfig::burst>("burst", positive_integer<std::uint32_t>(1'000'000'000),
                                           "Requests admitted at once after a pause.",
                                           {.example = "200", .default_note = "the rate's number"}),
              key<&RateLimitConfig::concurrent>("concurrent", positive_integer<std::uint32_t>(10'000'000),
                                                "Instead of rate: requests in flight.",
                                                {.example = "10", .default_note = "no bound"}),
              key_of<RateLimitConfig>(
                  "hours",
                  text_form<RateLimitConfig>({.title = "span of hours",
                                              .pattern = "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$",
                                              .parse = parse_hours,
                                              .format = format_hours}),
                  "When it applies, in local time.", {.example = "\"08:00-18:00\"", .default_note = "always"}),
              key<&RateLimitConfig::days>("days", Kind<std::uint8_t>{std::make_shared<DaysKind>()},
                                          "On which days it applies.",
                                          {.example = "[mon-fri]", .default_note = "every day"}),
          })
          .with_check<RateLimitConfig>(check_rate_limit);
  return object;
}

const Object& penalties_object() {
  static const Object object = Object::of<PenaltiesConfig>(
      "penalties", "Slowing down those who fail.",
      {
          key<&PenaltiesConfig::failed_logins>(
              "failed_logins", can_be_off(block<FailedLoginsConfig>(failed_logins_object())), "Progressive delay."),
          key<&PenaltiesConfig::attacks>("attacks", can_be_off(block<AttacksConfig>(attacks_object())), "Timed bans."),
          key<&PenaltiesConfig::parked_max>("parked_max", integer<std::uint32_t>(0, 1'000'000),
                                            "Requests held back at once; past it a delayed one is refused."),
      });
  return object;
}

const Object& bans_object() {
  static const Object object = Object::of<BansConfig>(
      "bans", "Networks, before anything else is looked at.",
      {
          key<&BansConfig::deny>("deny", list_of(network()), "Refused.", {.example = "[203.0.113.0/24]"}),
          key<&BansConfig::allow>("allow", list_of(network()), "Never banned, and excepted from deny.",
                                  {.example = "[203.0.113.7]"}),
      });
  return object;
}

}  // namespace gatehouse::app
