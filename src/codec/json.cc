#include "codec/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace gatehouse::codec {

// nlohmann's parser calls this once per value; returning false stops it. It is iterative, so that depth costs no stack.
class JsonBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonBuilder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return add(Json{}); }
  bool boolean(bool value) override {
    Json json;
    json.kind_ = Json::Kind::boolean;
    json.boolean_ = value;
    return add(std::move(json));
  }
  bool number_integer(number_integer_t value) override {
    Json json;
    json.kind_ = Json::Kind::integer;
    json.integer_ = value;
    return add(std::move(json));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > INT64_MAX) return false;
    return number_integer(static_cast<std::int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override {
    if (!std::isfinite(value)) return false;
    Json json;
    json.kind_ = Json::Kind::number;
    json.number_ = value;
    return add(std::move(json));
  }
  bool string(string_t& value) override {
    Json json;
    json.kind_ = Json::Kind::string;
    json.string_ = std::move(value);
    return add(std::move(json));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::Kind::object); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::Kind::array); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (++values_ > limits_.values_max) return false;
    open_.back().names_.push_back(std::move(name));
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  Json take() { return std::move(root_); }

 private:
  bool open(Json::Kind kind) {
    if (open_.size() >= limits_.depth_max || ++values_ > limits_.values_max) return false;
    open_.emplace_back();
    open_.back().kind_ = kind;
    return true;
  }
  bool close() {
    if (has_duplicates(open_.back().names_)) return false;
    Json done = std::move(open_.back());
    open_.pop_back();
    place(std::move(done));
    return true;
  }
  bool add(Json&& value) {
    if (++values_ > limits_.values_max) return false;
    place(std::move(value));
    return true;
  }
  // Most objects are small, and comparing all pairs is the cheapest; a peer chooses the size of the others.
  static bool has_duplicates(const std::vector<std::string>& names) {
    constexpr std::size_t kFew = 16;
    if (names.size() <= kFew) {
      for (std::size_t i = 1; i < names.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (names[i] == names[j]) return true;
        }
      }
      return false;
    }
    std::vector<std::string_view> sorted(names.begin(), names.end());
    std::sort(sorted.begin(), sorted.end());
    return std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  }
  void place(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back().items_.push_back(std::move(value));
    }
  }

  const JsonLimits& limits_;
  Json root_;
  std::vector<Json> open_;
  std::size_t values_ = 0;
};

std::optional<Json> Json::parse(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) return std::nullopt;
  JsonBuilder builder(limits);
  // A byte order mark is skipped by the parser; RFC 8259 §8.1 lets us refuse it, and one document has one spelling.
  if (text.starts_with("\xef\xbb\xbf")) return std::nullopt;
  // It takes NUL for the end of its input, so that bytes behind one would go unread.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder, nlohmann::json::input_format_t::json, true)) {
    return std::nullopt;
  }
  return builder.take();
}

Json Json::of(bool value) {
  Json json;
  json.kind_ = Kind::boolean;
  json.boolean_ = value;
  return json;
}
Json Json::of(std::int64_t value) {
  Json json;
  json.kind_ = Kind::integer;
  json.integer_ = value;
  return json;
}
Json Json::of(double value) {
  Json json;
  json.kind_ = Kind::number;
  json.number_ = value;
  return json;
}
Json Json::of(std::string value) {
  Json json;
  json.kind_ = Kind::string;
  json.string_ = std::move(value);
  return json;
}
Json Json::array(std::vector<Json> items) {
  Json json;
  json.kind_ = Kind::array;
  json.items_ = std::move(items);
  return json;
}
Json Json::object(std::vector<std::string> names, std::vector<Json> values) {
  GH_CHECK(names.size() == values.size());
  Json json;
  json.kind_ = Kind::object;
  json.names_ = std::move(names);
  json.items_ = std::move(values);
  return json;
}

std::optional<std::string_view> Json::string() const noexcept {
  if (kind_ != Kind::string) return std::nullopt;
  return string_;
}
std::optional<std::int64_t> Json::integer() const noexcept {
  if (kind_ != Kind::integer) return std::nullopt;
  return integer_;
}
std::optional<double> Json::number() const noexcept {
  if (kind_ == Kind::integer) return static_cast<double>(integer_);
  if (kind_ != Kind::number) return std::nullopt;
  return number_;
}
std::optional<bool> Json::boolean() const noexcept {
  if (kind_ != Kind::boolean) return std::nullopt;
  return boolean_;
}

const Json* Json::find(std::string_view name) const noexcept {
  if (kind_ != Kind::object) return nullptr;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return &items_[i];
  }
  return nullptr;
}

std::optional<std::string_view> Json::find_string(std::string_view name) const noexcept {
  const Json* member = find(name);
  return member ? member->string() : std::nullopt;
}

}  // namespace gatehouse::codec
