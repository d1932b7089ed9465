#pragma once
// How the configuration's values are written in a file. A `Kind<T>` reads a T from a YAML node, writes it back, and
// describes itself to the JSON Schema and the reference page; an `Object` is a block of keys, each a name, a kind, the
// member that it fills, and its text. Composed in table*.cc they are the one definition of the file format.
//
// Defaults are not written down here: a key's default is what the struct has when it is made.
//
// Thread safety: kinds and objects are built once and immutable; a Reader has one owner.
// Errors: everything that is wrong is reported to the Reader with its position, and reading goes on.

#include <functional>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "app/config/diagnostic.h"
#include "codec/yaml.h"
#include "gateway/config.h"

namespace gatehouse::app {

using Json = nlohmann::ordered_json;
using codec::YamlNode;
using codec::YamlPosition;

struct LoadOptions {
  // Whether files that are named must exist. Off where a configuration is judged away from its machine.
  bool check_files = true;
  std::string base_dir;  // relative paths start here; empty: the file's folder
  // Where ${env:NAME} comes from; null: the process environment.
  std::function<std::optional<std::string>(const std::string&)> environment;
};

// Collects what is wrong, and holds what was read so far for references to be resolved against.
class Reader {
 public:
  Reader(gateway::Config& config, const LoadOptions& options, std::string file, std::vector<Diagnostic>& diagnostics)
      : config_(config), options_(options), file_(std::move(file)), diagnostics_(diagnostics) {}

  void report(Severity severity, YamlPosition position, std::string_view id, std::string message,
              std::string hint = {});
  // Always false, so that a `read` can end with it. `id` goes behind "config.".
  bool error(YamlPosition position, std::string_view id, std::string message, std::string hint = {});
  void warning(YamlPosition position, std::string_view id, std::string message, std::string hint = {}) {
    report(Severity::warning, position, id, std::move(message), std::move(hint));
  }
  // In a file that the configuration names; `line` is the text of that place's line.
  void report_in(const std::string& file, std::string_view line, Severity severity, YamlPosition position,
                 std::string_view id, std::string message, std::string hint);
  bool wrong_type(const YamlNode& node, std::string_view expected, std::string hint = {});
  std::size_t errors() const noexcept { return errors_; }

  gateway::Config& config() noexcept { return config_; }
  const LoadOptions& options() const noexcept { return options_; }
  std::string absolute(std::string_view path) const;

 private:
  gateway::Config& config_;
  const LoadOptions& options_;
  std::string file_;
  std::vector<Diagnostic>& diagnostics_;
  std::size_t errors_ = 0;
};

struct Writer {
  const gateway::Config& config;  // names of what is referred to by index
  bool mask_secrets = true;
};

class Object;

class AnyKind {
 public:
  virtual ~AnyKind() = default;
  virtual bool read(Reader& reader, const YamlNode& node, void* into) const = 0;   // false: it was reported
  virtual void write(const Writer& writer, const void* from, Json& to) const = 0;  // null: there is nothing to write
  virtual void schema(Json& to, Json& definitions) const = 0;                      // JSON Schema draft 2020-12
  virtual std::string title() const = 0;                                           // for people: "list of duration"
  // The block that this kind holds, if any, and how a path goes on into it: "", "[]" or ".NAME".
  virtual const Object* nested() const { return nullptr; }
  virtual std::string_view nesting() const { return ""; }
};

template <class T>
struct Kind {
  using value_type = T;
  std::shared_ptr<const AnyKind> any;
};

// Which keys a block was given, for checks that look at several of them.
class Given {
 public:
  Given(const YamlNode& node, std::vector<std::string_view> failed) : node_(node), failed_(std::move(failed)) {}
  const YamlNode* value(std::string_view key) const;  // null: not given
  bool has(std::string_view key) const { return value(key) != nullptr; }
  YamlPosition key(std::string_view key) const;  // where the key is; the block's own place when it isn't given
  YamlPosition at(std::string_view key) const;   // where its value is; else as above
  YamlPosition block() const { return node_.position(); }
  // None of the keys was wrong or misspelt: what the check would say isn't a consequence of another mistake.
  bool good(std::initializer_list<std::string_view> keys) const;

 private:
  const YamlNode& node_;
  std::vector<std::string_view> failed_;
};

struct KeyNotes {
  std::string_view example{};       // as YAML; what the annotated defaults show for a key without a default
  std::string_view default_note{};  // in words, where the default depends on something else
  bool required = false;
  bool shown = false;    // by the annotated defaults, with its example, although it isn't required
  bool later = false;    // read and checked, but nothing acts on it in this version
  bool restart = false;  // a reload takes the new value note of, and the next start acts on it
};

struct Key {
  std::string_view name;
  std::shared_ptr<const AnyKind> kind;
  void* (*member)(void* object);
  std::string_view doc;
  KeyNotes notes;
};

namespace detail {
template <class M>
struct Member;
template <class O, class T>
struct Member<T O::*> {
  using Owner = O;
  using Value = T;
};
Json& append(Json& list);                       // a new null at the end
Json& member(Json& map, std::string_view key);  // a new null under `key`
void make_list(Json& value);
void make_map(Json& value);
void list_schema(const AnyKind& item, bool one_or_many, std::size_t min, Json& to, Json& definitions);
void map_schema(const AnyKind& value, Json& to, Json& definitions);
void off_schema(const AnyKind& on, Json& to, Json& definitions);
void write_off(Json& to);
bool is_off(const YamlNode& node);
bool check_names(Reader& reader, const std::vector<std::pair<std::string_view, YamlPosition>>& names);
bool good_name(Reader& reader, std::string_view name, YamlPosition position);
constexpr std::size_t kItemsMax = 100'000;
}  // namespace detail

// A key that fills the member `M` of its block.
template <auto M, class K>
Key key(std::string_view name, const K& kind, std::string_view doc, KeyNotes notes = {}) {
  using Member = detail::Member<decltype(M)>;
  static_assert(std::is_same_v<typename Member::Value, typename K::value_type>, "the kind reads another type");
  return {name, kind.any, [](void* object) -> void* { return &(static_cast<typename Member::Owner*>(object)->*M); },
          doc, notes};
}
// A key that fills several members: its kind reads the block's own struct.
template <class T>
Key key_of(std::string_view name, const Kind<T>& kind, std::string_view doc, KeyNotes notes = {}) {
  return {name, kind.any, [](void* object) -> void* { return object; }, doc, notes};
}

class Object {
 public:
  template <class T>
  static Object of(std::string_view name, std::string_view doc, std::vector<Key> keys) {
    Object object;
    object.name_ = name, object.doc_ = doc, object.keys_ = std::move(keys);
    object.make_ = []() -> std::shared_ptr<void> { return std::make_shared<T>(); };
    return object;
  }
  // A scalar in place of the block stands for this key: `waf: off` is `waf: { mode: off }`.
  Object&& with_shorthand(std::string_view key) && {
    shorthand_ = key;
    return std::move(*this);
  }
  // Runs after the keys were read, for what concerns several of them.
  template <class T>
  Object&& with_check(void (*check)(Reader&, const Given&, T&)) && {
    check_ = [check](Reader& reader, const Given& given, void* object) {
      check(reader, given, *static_cast<T*>(object));
    };
    return std::move(*this);
  }

  std::string_view name() const { return name_; }  // of the schema's definition: "listener_limits"
  std::string_view doc() const { return doc_; }
  std::string_view shorthand() const { return shorthand_; }
  const std::vector<Key>& keys() const { return keys_; }
  const Key* find(std::string_view key) const;
  std::shared_ptr<void> make() const { return make_(); }

  bool read(Reader& reader, const YamlNode& node, void* into) const;
  void write(const Writer& writer, const void* from, Json& to) const;
  void schema(Json& to, Json& definitions) const;

 private:
  std::vector<std::string_view> report_unknown(Reader& reader, const YamlNode& node) const;

  std::string_view name_, doc_, shorthand_;
  std::vector<Key> keys_;
  std::function<void(Reader&, const Given&, void*)> check_;
  std::shared_ptr<void> (*make_)() = nullptr;
};

namespace detail {

class ObjectKind final : public AnyKind {
 public:
  explicit ObjectKind(const Object& object) : object_(object) {}
  bool read(Reader& r, const YamlNode& node, void* into) const override { return object_.read(r, node, into); }
  void write(const Writer& w, const void* from, Json& to) const override { object_.write(w, from, to); }
  void schema(Json& to, Json& definitions) const override { object_.schema(to, definitions); }
  std::string title() const override { return "block"; }
  const Object* nested() const override { return &object_; }

 private:
  const Object& object_;
};

template <class T>
class ListKind final : public AnyKind {
 public:
  ListKind(Kind<T> item, bool one_or_many, std::size_t min) : item_(std::move(item)), one_(one_or_many), min_(min) {}

  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& list = *static_cast<std::vector<T>*>(into);
    list.clear();
    if (!node.is(YamlNode::Kind::list)) {
      if (!one_)
        return reader.wrong_type(node, "a list", node.is_scalar() ? "put it in brackets: [" + node.text() + "]" : "");
      return item_.any->read(reader, node, &list.emplace_back());
    }
    if (node.items().size() < min_) return reader.error(node.position(), "value", "the list must not be empty");
    if (node.items().size() > kItemsMax) return reader.error(node.position(), "value", "the list has too many items");
    bool good = true;
    list.reserve(node.items().size());
    for (const YamlNode& item : node.items()) {
      T value{};
      good = item_.any->read(reader, item, &value) && good;
      list.push_back(std::move(value));
    }
    return good;
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    const auto& list = *static_cast<const std::vector<T>*>(from);
    if (list.size() < min_) return;  // not given: an empty list couldn't be read back
    make_list(to);
    for (const T& item : list) item_.any->write(writer, &item, append(to));
  }
  void schema(Json& to, Json& definitions) const override { list_schema(*item_.any, one_, min_, to, definitions); }
  std::string title() const override { return (one_ ? "one or a list of " : "list of ") + item_.any->title(); }
  const Object* nested() const override { return item_.any->nested(); }
  std::string_view nesting() const override { return "[]"; }

 private:
  Kind<T> item_;
  bool one_;
  std::size_t min_;
};

// A list whose items have a member `name` that must be unique.
template <class T>
class NamedListKind final : public AnyKind {
 public:
  explicit NamedListKind(Kind<T> item) : list_(std::move(item), false, 0) {}
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    bool good = list_.read(reader, node, into);
    std::vector<std::pair<std::string_view, YamlPosition>> names;
    for (std::size_t i = 0; const T& item : *static_cast<const std::vector<T>*>(into)) {
      const YamlNode& from = node.items()[i++];
      const codec::YamlEntry* name = from.find("name");
      if (!item.name.empty()) names.emplace_back(item.name, name ? name->value.position() : from.position());
    }
    return check_names(reader, names) && good;
  }
  void write(const Writer& w, const void* from, Json& to) const override { list_.write(w, from, to); }
  void schema(Json& to, Json& definitions) const override { list_.schema(to, definitions); }
  std::string title() const override { return list_.title(); }
  const Object* nested() const override { return list_.nested(); }
  std::string_view nesting() const override { return "[]"; }

 private:
  ListKind<T> list_;
};

// A map from names to blocks; the name is the item's member `name`.
template <class T>
class NamedMapKind final : public AnyKind {
 public:
  explicit NamedMapKind(Kind<T> item) : item_(std::move(item)) {}
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& list = *static_cast<std::vector<T>*>(into);
    if (!node.is(YamlNode::Kind::map)) return reader.wrong_type(node, "a block of names");
    if (node.entries().size() > kItemsMax) return reader.error(node.position(), "value", "too many entries");
    bool good = true;
    list.reserve(list.size() + node.entries().size());
    for (const codec::YamlEntry& entry : node.entries()) {
      good = good_name(reader, entry.key, entry.position) && good;
      T& item = list.emplace_back();
      item.name = entry.key;
      good = item_.any->read(reader, entry.value, &item) && good;
    }
    return good;
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    make_map(to);
    for (const T& item : *static_cast<const std::vector<T>*>(from))
      item_.any->write(writer, &item, member(to, item.name));
  }
  void schema(Json& to, Json& definitions) const override { map_schema(*item_.any, to, definitions); }
  std::string title() const override { return "map of names to blocks"; }
  const Object* nested() const override { return item_.any->nested(); }
  std::string_view nesting() const override { return ".NAME"; }

 private:
  Kind<T> item_;
};

template <class T>
class OptionalKind final : public AnyKind {
 public:
  OptionalKind(Kind<T> value, bool can_be_off) : value_(std::move(value)), off_(can_be_off) {}
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& optional = *static_cast<std::optional<T>*>(into);
    if (off_ && is_off(node)) {
      optional.reset();
      return true;
    }
    return value_.any->read(reader, node, &optional.emplace());
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    const auto& optional = *static_cast<const std::optional<T>*>(from);
    if (optional) return value_.any->write(writer, &*optional, to);
    if (off_) write_off(to);
  }
  void schema(Json& to, Json& definitions) const override {
    off_ ? off_schema(*value_.any, to, definitions) : value_.any->schema(to, definitions);
  }
  std::string title() const override { return value_.any->title() + (off_ ? " or `off`" : ""); }
  const Object* nested() const override { return value_.any->nested(); }

 private:
  Kind<T> value_;
  bool off_;
};

}  // namespace detail

template <class T>
Kind<T> block(const Object& object) {
  return {std::make_shared<detail::ObjectKind>(object)};
}
template <class T>
Kind<std::vector<T>> list_of(Kind<T> item, std::size_t min = 0) {
  return {std::make_shared<detail::ListKind<T>>(std::move(item), false, min)};
}
// `roles: admin` is `roles: [admin]`.
template <class T>
Kind<std::vector<T>> one_or_list_of(Kind<T> item, std::size_t min = 0) {
  return {std::make_shared<detail::ListKind<T>>(std::move(item), true, min)};
}
template <class T>
Kind<std::vector<T>> named_list_of(Kind<T> item) {
  return {std::make_shared<detail::NamedListKind<T>>(std::move(item))};
}
template <class T>
Kind<std::vector<T>> named_map_of(Kind<T> item) {
  return {std::make_shared<detail::NamedMapKind<T>>(std::move(item))};
}
template <class T>
Kind<std::optional<T>> optional(Kind<T> value) {
  return {std::make_shared<detail::OptionalKind<T>>(std::move(value), false)};
}
// Something that is there by default and can be turned `off`.
template <class T>
Kind<std::optional<T>> can_be_off(Kind<T> value) {
  return {std::make_shared<detail::OptionalKind<T>>(std::move(value), true)};
}

}  // namespace gatehouse::app
