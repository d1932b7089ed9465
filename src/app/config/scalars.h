#pragma once
// The kinds of single values: numbers with units, addresses, names, references, secrets.
//
// Sizes are 64KiB, 10MiB; durations 250ms, 10s, 5m, 24h; rates 100/s, 1000/m, 20000/h. A unit is never guessed.

#include <limits>

#include "app/config/kind.h"

namespace gatehouse::app {

struct Refusal {
  std::string message;  // "\"10\" has no unit"
  std::string hint;
};
using Parsed = std::optional<Refusal>;  // empty: good

// A value that is one piece of text.
template <class T>
struct TextForm {
  std::string title;      // "duration"
  std::string pattern{};  // for the JSON Schema; empty: any
  bool numbers = false;   // plain numbers are text too: sizes, status codes
  std::function<Parsed(Reader&, std::string_view text, YamlPosition, T& into)> parse;
  std::function<std::string(const Writer&, const T&)> format;
};

namespace detail {
bool read_text(Reader& reader, const YamlNode& node, const std::string& title, bool numbers);
bool refuse(Reader& reader, const YamlNode& node, const Parsed& parsed);
void text_schema(const std::string& pattern, bool numbers, Json& to);
// Empty: nothing. `numbers`: what looks like a whole number is written as one.
void write_text(std::string text, bool numbers, Json& to);
void write_integer(std::int64_t value, Json& to);

template <class T>
class TextKind final : public AnyKind {
 public:
  explicit TextKind(TextForm<T> form) : form_(std::move(form)) {}
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    if (!read_text(reader, node, form_.title, form_.numbers)) return false;
    return refuse(reader, node, form_.parse(reader, node.text(), node.position(), *static_cast<T*>(into)));
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    write_text(form_.format(writer, *static_cast<const T*>(from)), form_.numbers, to);
  }
  void schema(Json& to, Json&) const override { text_schema(form_.pattern, form_.numbers, to); }
  std::string title() const override { return form_.title; }

 private:
  TextForm<T> form_;
};

class IntegerKind : public AnyKind {
 public:
  IntegerKind(std::int64_t min, std::int64_t max, bool zero_is_absent)
      : min_(min), max_(max), zero_is_absent_(zero_is_absent) {}
  bool read(Reader& reader, const YamlNode& node, void* into) const override;
  void write(const Writer&, const void* from, Json& to) const override {
    const std::int64_t value = load(from);
    if (value != 0 || !zero_is_absent_) write_integer(value, to);
  }
  void schema(Json& to, Json&) const override;
  std::string title() const override;
  virtual void store(std::int64_t value, void* into) const = 0;
  virtual std::int64_t load(const void* from) const = 0;

 private:
  std::int64_t min_, max_;
  bool zero_is_absent_;
};
template <class T>
class IntegerOf final : public IntegerKind {
 public:
  using IntegerKind::IntegerKind;
  void store(std::int64_t value, void* into) const override { *static_cast<T*>(into) = static_cast<T>(value); }
  std::int64_t load(const void* from) const override { return static_cast<std::int64_t>(*static_cast<const T*>(from)); }
};
}  // namespace detail

template <class T>
Kind<T> text_form(TextForm<T> form) {
  return {std::make_shared<detail::TextKind<T>>(std::move(form))};
}

template <class T>
Kind<T> integer(std::int64_t min, std::int64_t max) {
  return {std::make_shared<detail::IntegerOf<T>>(min, max, false)};
}
// A member that is 0 while the key isn't given.
template <class T>
Kind<T> positive_integer(std::int64_t max) {
  return {std::make_shared<detail::IntegerOf<T>>(1, max, true)};
}
Kind<bool> boolean();
Kind<double> number(double min, double max);
Kind<std::string> text(std::size_t bytes_max = 1024);
Kind<std::string> name();
Kind<Duration> duration(Duration min, Duration max);

struct Bytes {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint64_t>::max() / 2;
};
Parsed parse_bytes(std::string_view text, const Bytes& bounds, std::uint64_t& into);
std::string format_bytes(std::uint64_t bytes);
std::string format_duration(Duration duration);
Parsed parse_duration(std::string_view text, Duration& into);
template <class T>
Kind<T> size(std::uint64_t min, std::uint64_t max) {
  return text_form<T>({.title = "size, " + format_bytes(min) + " to " + format_bytes(max),
                       .pattern = "^[0-9]+(B|KiB|MiB|GiB|TiB)?$",
                       .numbers = true,
                       .parse =
                           [=](Reader&, std::string_view written, YamlPosition, T& into) {
                             std::uint64_t bytes = 0;
                             Parsed parsed = parse_bytes(written, {min, max}, bytes);
                             if (!parsed) into = static_cast<T>(bytes);
                             return parsed;
                           },
                       .format = [](const Writer&, const T& value) { return format_bytes(value); }});
}

// A share of all, in millionths: "1%", "0.5%", "0"; written with up to four places.
Kind<std::uint32_t> share();

template <class E>
struct Choice {
  std::string_view name;
  E value;
};
Refusal not_a_choice(std::string_view written, const std::vector<std::string_view>& names);
std::string choice_title(const std::vector<std::string_view>& names);
std::string choice_pattern(const std::vector<std::string_view>& names);
// One of a few words.
template <class E>
Kind<E> one_of(std::vector<Choice<E>> choices) {
  std::vector<std::string_view> names;
  for (const auto& choice : choices) names.push_back(choice.name);
  return text_form<E>({.title = choice_title(names),
                       .pattern = choice_pattern(names),
                       .numbers = true,  // `min_version: 1.2` can mean one thing only
                       .parse = [choices, names](Reader&, std::string_view written, YamlPosition, E& into) -> Parsed {
                         for (const auto& choice : choices) {
                           if (choice.name != written) continue;
                           into = choice.value;
                           return std::nullopt;
                         }
                         return not_a_choice(written, names);
                       },
                       .format = [choices](const Writer&, const E& value) -> std::string {
                         for (const auto& choice : choices) {
                           if (choice.value == value) return std::string(choice.name);
                         }
                         return {};
                       }});
}
// As above, kept as text. `later` are words of the contract that this version can't do yet.
Kind<std::string> word_of(std::vector<std::string_view> words, std::vector<std::string_view> later = {});

Kind<std::string> file_path();            // must exist and be readable
Kind<std::string> path();                 // of a file or folder that may not be there yet
Kind<SecretBytes> secret();               // literal, ${env:NAME} or ${file:path}
Kind<gateway::Address> listen_address();  // 0.0.0.0:8443, [::]:443, unix:/path
Kind<Network> network();
Kind<std::string> domain_name();  // a name that a certificate or DNS could hold
Kind<std::string> header_name();  // lower case
Kind<std::string> header_value();
Kind<std::string> method();

Kind<std::uint32_t> zone_name();     // index into Config::zones
Kind<std::uint32_t> service_name();  // index into Config::services

// Replaces ${env:NAME} and ${file:path}. `literal`: no reference was used.
Parsed resolve_secret(Reader& reader, std::string_view written, SecretBytes& into, bool& literal);
// Whether a header of this name usually carries a credential.
bool carries_secret(std::string_view header) noexcept;
inline constexpr std::string_view kMasked = "********";

// host:port without a scheme; the host may be a name.
std::optional<gateway::Address> parse_host_port(std::string_view text, std::optional<std::uint16_t> default_port);
// What follows "unix:"; relative to the file.
Parsed parse_unix_path(Reader& reader, std::string_view written, gateway::Address& into);
bool covers_everyone(const Network& network) noexcept;  // 0.0.0.0/0 or ::/0
bool is_domain_name(std::string_view text) noexcept;
bool is_token(std::string_view text) noexcept;  // RFC 9110 §5.6.2
std::string lower(std::string_view text);
std::string in_quotes(std::string_view text);  // for messages; long texts are cut

}  // namespace gatehouse::app
