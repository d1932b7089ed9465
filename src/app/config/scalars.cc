#include "app/config/scalars.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/process/readable.h"

namespace gatehouse::app {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> kSizeUnits{
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};
constexpr std::array<Unit, 6> kTimeUnits{{{"d", 86'400'000'000'000ULL},
                                          {"h", 3'600'000'000'000ULL},
                                          {"m", 60'000'000'000ULL},
                                          {"s", 1'000'000'000ULL},
                                          {"ms", 1'000'000ULL},
                                          {"us", 1'000ULL}}};

struct Measured {
  std::uint64_t number = 0;
  std::string_view unit;
  bool good = false;
};

Measured split_unit(std::string_view text) {
  Measured m;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), m.number);
  m.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  m.good = failure == std::errc();
  return m;
}

// Writes a number with the largest unit that leaves it whole.
template <std::size_t N>
std::string with_unit(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return {};
}

class BooleanKind final : public AnyKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    if (!node.is(YamlNode::Kind::boolean)) {
      static constexpr std::array<std::string_view, 4> kNo{"no", "off", "n", "False"}, kYes{"yes", "on", "y", "True"};
      const std::string written = lower(node.text());
      std::string hint;
      if (std::find(kYes.begin(), kYes.end(), written) != kYes.end()) hint = "write true";
      if (std::find(kNo.begin(), kNo.end(), written) != kNo.end()) hint = "write false";
      return reader.wrong_type(node, "true or false", std::move(hint));
    }
    *static_cast<bool*>(into) = node.boolean();
    return true;
  }
  void write(const Writer&, const void* from, Json& to) const override { to = *static_cast<const bool*>(from); }
  void schema(Json& to, Json&) const override { to = {{"type", "boolean"}}; }
  std::string title() const override { return "true or false"; }
};

class NumberKind final : public AnyKind {
 public:
  NumberKind(double min, double max) : min_(min), max_(max) {}
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    const auto value = node.real();
    if (!value) return reader.wrong_type(node, "a number");
    if (!(*value >= min_ && *value <= max_)) {
      return reader.error(node.position(), "value", fmt::format("{} is out of bounds", node.text()),
                          fmt::format("{} to {}", min_, max_));
    }
    *static_cast<double*>(into) = *value;
    return true;
  }
  void write(const Writer&, const void* from, Json& to) const override {
    const double value = *static_cast<const double*>(from);
    const auto whole = static_cast<std::int64_t>(value);
    to = static_cast<double>(whole) == value ? Json(whole) : Json(value);
  }
  void schema(Json& to, Json&) const override { to = {{"type", "number"}, {"minimum", min_}, {"maximum", max_}}; }
  std::string title() const override { return fmt::format("number, {} to {}", min_, max_); }

 private:
  double min_, max_;
};

std::string permission_hint(const std::string& file) {
  const std::string remedy = remedy_for(file);
  return remedy.empty() ? "check owner and permissions" : remedy;
}

Parsed check_readable(Reader& reader, const std::string& file) {
  if (!reader.options().check_files) return std::nullopt;
  std::error_code code;
  if (std::filesystem::is_directory(file, code)) return Refusal{fmt::format("{} is a folder, not a file", file), {}};
  if (access(file.c_str(), R_OK) == 0) return std::nullopt;
  const int error = errno;
  return Refusal{fmt::format("cannot read {}: {}", file, strerror(error)),
                 error == ENOENT ? "relative paths start at the configuration file's folder" : permission_hint(file)};
}

}  // namespace

namespace detail {

bool read_text(Reader& reader, const YamlNode& node, const std::string& title, bool numbers) {
  const bool number = node.is(YamlNode::Kind::integer) || node.is(YamlNode::Kind::real);
  if (node.is(YamlNode::Kind::string) || (numbers && number)) return true;
  if (number || node.is(YamlNode::Kind::boolean)) {
    return reader.wrong_type(node, "text (" + title + ")", fmt::format("put it in quotes: \"{}\"", node.text()));
  }
  return reader.wrong_type(node, "text (" + title + ")");
}

bool refuse(Reader& reader, const YamlNode& node, const Parsed& parsed) {
  return !parsed || reader.error(node.position(), "value", parsed->message, parsed->hint);
}

void text_schema(const std::string& pattern, bool numbers, Json& to) {
  to = Json::object();
  to["type"] = numbers ? Json::array({"string", "number"}) : Json("string");
  if (!pattern.empty()) to["pattern"] = pattern;  // of strings only: numbers pass
}

void write_text(std::string text, bool numbers, Json& to) {
  if (text.empty()) return;
  const Measured m = split_unit(text);
  to = numbers && m.good && m.unit.empty() ? Json(m.number) : Json(std::move(text));
}
void write_integer(std::int64_t value, Json& to) { to = value; }

bool IntegerKind::read(Reader& reader, const YamlNode& node, void* into) const {
  if (!node.is(YamlNode::Kind::integer)) {
    const bool quoted_number =
        node.is(YamlNode::Kind::string) && split_unit(node.text()).good && split_unit(node.text()).unit.empty();
    return reader.wrong_type(node, "a whole number", quoted_number ? "remove the quotes" : "");
  }
  const auto value = node.integer();
  if (!value || *value < min_ || *value > max_) {
    return reader.error(node.position(), "value", fmt::format("{} is out of bounds", node.text()),
                        fmt::format("{} to {}", min_, max_));
  }
  store(*value, into);
  return true;
}
void IntegerKind::schema(Json& to, Json&) const { to = {{"type", "integer"}, {"minimum", min_}, {"maximum", max_}}; }
std::string IntegerKind::title() const { return fmt::format("integer, {} to {}", min_, max_); }

}  // namespace detail

Kind<bool> boolean() { return {std::make_shared<BooleanKind>()}; }
Kind<double> number(double min, double max) { return {std::make_shared<NumberKind>(min, max)}; }

Kind<std::string> text(std::size_t bytes_max) {
  return text_form<std::string>(
      {.title = "text",
       .parse = [=](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (written.empty()) return Refusal{"empty text", "remove the key to use its default"};
         if (written.size() > bytes_max) return Refusal{fmt::format("longer than {} bytes", bytes_max), {}};
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::string> name() {
  return text_form<std::string>(
      {.title = "name",
       .pattern = "^[A-Za-z0-9._-]{1,64}$",
       .parse = [](Reader& reader, std::string_view written, YamlPosition position, std::string& into) -> Parsed {
         // names are also reported by the lists that keep them unique
         if (detail::good_name(reader, written, position)) into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

Parsed parse_duration(std::string_view written, Duration& into) {
  const Measured m = split_unit(written);
  static constexpr std::string_view kForms = "a whole number with us, ms, s, m, h or d, such as 250ms, 10s or 5m";
  if (!m.good) return Refusal{in_quotes(written) + " is not a duration", std::string(kForms)};
  if (m.unit.empty() && m.number == 0) return into = Duration::zero(), std::nullopt;
  if (m.unit.empty()) {
    return Refusal{in_quotes(written) + " has no unit", fmt::format("did you mean {0}s or {0}ms?", m.number)};
  }
  for (const Unit& unit : kTimeUnits) {
    if (m.unit != unit.name) continue;
    if (m.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / unit.factor) {
      return Refusal{in_quotes(written) + " is too long", {}};
    }
    into = Duration(static_cast<std::int64_t>(m.number * unit.factor));
    return std::nullopt;
  }
  return Refusal{in_quotes(written) + " is not a duration", std::string(kForms)};
}

std::string format_duration(Duration value) {
  if (value == Duration::zero()) return "0s";
  const std::string text = with_unit(static_cast<std::uint64_t>(value.count()), kTimeUnits);
  return text.empty() ? fmt::format("{}us", value.count() / 1000) : text;
}

Kind<Duration> duration(Duration min, Duration max) {
  return text_form<Duration>({.title = fmt::format("duration, {} to {}", format_duration(min), format_duration(max)),
                              .pattern = "^([0-9]+(us|ms|s|m|h|d)|0)$",
                              .numbers = true,  // for 0, and for a better message than "put it in quotes"
                              .parse = [=](Reader&, std::string_view written, YamlPosition, Duration& into) -> Parsed {
                                Duration value{};
                                if (Parsed parsed = parse_duration(written, value)) return parsed;
                                if (value < min || value > max) {
                                  return Refusal{in_quotes(written) + " is out of bounds",
                                                 fmt::format("{} to {}", format_duration(min), format_duration(max))};
                                }
                                into = value;
                                return std::nullopt;
                              },
                              .format = [](const Writer&, const Duration& value) { return format_duration(value); }});
}

Kind<std::uint32_t> share() {
  return text_form<std::uint32_t>(
      {.title = "share, 0 to 100%",
       .pattern = "^([0-9]{1,3}(\\.[0-9]{1,4})?%|0)$",
       .numbers = true,
       .parse = [](Reader&, std::string_view written, YamlPosition, std::uint32_t& into) -> Parsed {
         const Refusal refusal{in_quotes(written) + " is no share", "0 to 100%, such as 1% or 0.05%"};
         if (written == "0") return into = 0, std::nullopt;
         if (!written.ends_with('%')) return refusal;
         const std::string_view number = written.substr(0, written.size() - 1);
         const std::string_view whole = number.substr(0, number.find('.'));
         std::string_view rest = number.substr(std::min(whole.size() + 1, number.size()));
         const auto is_digits = [](std::string_view text) {
           return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
         };
         if (whole.empty() || whole.size() > 3 || rest.size() > 4 || !is_digits(whole) || !is_digits(rest) ||
             (number.size() > whole.size() && rest.empty())) {
           return refusal;
         }
         std::uint32_t millionths = 0;
         for (const char c : whole) millionths = millionths * 10 + static_cast<std::uint32_t>(c - '0');
         for (std::size_t i = 0; i < 4; ++i)
           millionths = millionths * 10 + (i < rest.size() ? static_cast<std::uint32_t>(rest[i] - '0') : 0);
         if (millionths > 1'000'000) return refusal;
         return into = millionths, std::nullopt;
       },
       .format =
           [](const Writer&, const std::uint32_t& value) {
             std::string text = std::to_string(value / 10'000);
             if (const std::uint32_t rest = value % 10'000; rest != 0) {
               text += fmt::format(".{:04}", rest);
               text.erase(text.find_last_not_of('0') + 1);
             }
             return text + "%";
           }});
}

Parsed parse_bytes(std::string_view written, const Bytes& bounds, std::uint64_t& into) {
  const Measured m = split_unit(written);
  if (!m.good)
    return Refusal{in_quotes(written) + " is not a size", "a whole number with B, KiB, MiB or GiB, such as 64KiB"};
  const Unit* found = nullptr;
  for (const Unit& unit : kSizeUnits) {
    if (m.unit == unit.name || (m.unit.empty() && unit.factor == 1)) found = &unit;
  }
  if (found == nullptr) {
    for (const Unit& unit : kSizeUnits) {
      // "10MB", "10M", "10mib"
      if (lower(m.unit.substr(0, 1)) == lower(unit.name.substr(0, 1))) {
        return Refusal{in_quotes(written) + " is not a size", fmt::format("did you mean {}{}?", m.number, unit.name)};
      }
    }
    return Refusal{in_quotes(written) + " is not a size", "a whole number with B, KiB, MiB or GiB, such as 64KiB"};
  }
  if (m.number > std::numeric_limits<std::uint64_t>::max() / found->factor || m.number * found->factor < bounds.min ||
      m.number * found->factor > bounds.max) {
    return Refusal{in_quotes(written) + " is out of bounds",
                   fmt::format("{} to {}", format_bytes(bounds.min), format_bytes(bounds.max))};
  }
  into = m.number * found->factor;
  return std::nullopt;
}

std::string format_bytes(std::uint64_t bytes) { return bytes == 0 ? "0" : with_unit(bytes, kSizeUnits); }

Refusal not_a_choice(std::string_view written, const std::vector<std::string_view>& names) {
  const std::string_view guess = closest(written, names);
  std::string hint = guess.empty() ? std::string() : fmt::format("did you mean \"{}\"? ", guess);
  return {in_quotes(written) + " is not accepted here", hint + fmt::format("accepted: {}", fmt::join(names, ", "))};
}

// An empty one stands for a key that is not given.
std::string choice_title(const std::vector<std::string_view>& names) {
  std::string title;
  for (const std::string_view name : names) {
    if (!name.empty()) title += fmt::format("{}`{}`", title.empty() ? "" : ", ", name);
  }
  return title;
}

std::string choice_pattern(const std::vector<std::string_view>& names) {
  std::string pattern = "^(";
  for (const std::string_view name : names) {
    if (pattern.size() > 2) pattern += '|';
    for (const char c : name) {
      if (c == '.') pattern += '\\';
      pattern += c;
    }
  }
  return pattern + ")$";
}

Kind<std::string> word_of(std::vector<std::string_view> words, std::vector<std::string_view> later) {
  return text_form<std::string>(
      {.title = choice_title(words),
       .pattern = choice_pattern(words),
       .parse = [=](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (std::find(later.begin(), later.end(), written) != later.end()) {
           return Refusal{in_quotes(written) + " isn't available in this version",
                          fmt::format("accepted: {}", fmt::join(words, ", "))};
         }
         if (std::find(words.begin(), words.end(), written) == words.end()) {
           return not_a_choice(written, words);
         }
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

namespace {
Kind<std::string> path_kind(std::string title, bool must_exist) {
  return text_form<std::string>(
      {.title = std::move(title),
       .parse = [=](Reader& reader, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (written.empty() || written.size() > 4096 || written.find('\0') != std::string_view::npos) {
           return Refusal{"not a path", {}};
         }
         if (written.find("${") != std::string_view::npos) {
           return Refusal{"references such as ${env:NAME} are for secrets only", "write the path itself"};
         }
         into = reader.absolute(written);
         return must_exist ? check_readable(reader, into) : std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}
}  // namespace

Kind<std::string> file_path() { return path_kind("file", true); }
Kind<std::string> path() { return path_kind("path", false); }

Parsed resolve_secret(Reader& reader, std::string_view written, SecretBytes& into, bool& literal) {
  SecretBytes found;
  std::string all;
  literal = true;
  while (true) {
    const std::size_t begin = written.find("${");
    all += written.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const std::size_t end = written.find('}', begin);
    if (end == std::string_view::npos) return Refusal{"\"${\" without \"}\"", "${env:NAME} or ${file:path}"};
    const std::string_view what = written.substr(begin + 2, end - begin - 2);
    written.remove_prefix(end + 1);
    literal = false;
    if (what.starts_with("env:")) {
      const std::string variable(what.substr(4));
      const auto& lookup = reader.options().environment;
      const char* plain = lookup ? nullptr : std::getenv(variable.c_str());
      const auto value = lookup ? lookup(variable) : plain ? std::optional<std::string>(plain) : std::nullopt;
      if (!value || value->empty()) {
        return Refusal{fmt::format("the environment variable {} is not set", variable),
                       "set it before starting Gatehouse"};
      }
      all += *value;
    } else if (what.starts_with("file:")) {
      if (!reader.options().check_files) continue;
      const std::string file = reader.absolute(what.substr(5));
      if (Parsed parsed = check_readable(reader, file)) return parsed;
      std::ifstream in(file, std::ios::binary);
      std::string value(std::istreambuf_iterator<char>(in), {});
      if (value.size() > 64 * 1024) return Refusal{file + " is too large for a secret", "at most 64KiB"};
      while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
      all += value;
      explicit_bzero(value.data(), value.size());
    } else {
      return Refusal{fmt::format("unknown reference ${{{}}}", what.substr(0, 80)), "${env:NAME} or ${file:path}"};
    }
  }
  into = SecretBytes(all);
  explicit_bzero(all.data(), all.size());
  return std::nullopt;
}

Kind<SecretBytes> secret() {
  return text_form<SecretBytes>(
      {.title = "secret",
       .parse = [](Reader& reader, std::string_view written, YamlPosition position, SecretBytes& into) -> Parsed {
         bool literal = false;
         if (Parsed parsed = resolve_secret(reader, written, into, literal)) return parsed;
         if (into.empty() && reader.options().check_files) return Refusal{"the secret is empty", {}};
         if (literal) {
           reader.warning(position, "literal_secret", "a secret is written in the configuration file",
                          "use ${env:NAME} or ${file:path}, and change the secret if the file was ever shared");
         }
         return std::nullopt;
       },
       .format =
           [](const Writer& writer, const SecretBytes& value) {
             if (value.empty()) return std::string();
             return std::string(writer.mask_secrets ? kMasked : value.expose());
           }});
}

}  // namespace gatehouse::app
