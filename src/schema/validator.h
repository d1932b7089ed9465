#pragma once
// Applies a schema to a JSON value, with a bound on the work.
//
// A schema can make a validator work exponentially (alternatives inside alternatives, all of which are tried), and a
// peer chooses the value. Every step costs one unit of `work_max`; when it is used up the verdict is `exhausted`, which
// is for the caller to refuse. Arrays are unique or not in n·log n.
// Names that no schema mentions are collected, not judged: whether they are refused cannot change which alternative of
// oneOf a value takes.
// Thread safety: one owner; a SchemaSet may be shared.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schema/json_schema.h"

namespace gatehouse::schema {

struct Failure {
  std::string_view keyword;  // static: "maxLength"
  std::string pointer;       // where in the value (RFC 6901), shortened; names are the peer's words
  std::string expected;      // what the schema says: "at most 64"; never what the value is
};

class Validator {
 public:
  enum class Verdict : std::uint8_t { valid, invalid, exhausted };
  enum class Unknown : std::uint8_t { ignore, collect };

  Validator(Unknown unknown, std::uint64_t work_max) noexcept
      : collects_(unknown == Unknown::collect), work_left_(work_max) {}

  // Of a request: a member that is `readOnly` is refused.
  Verdict validate(const Schema& schema, const codec::Json& value);
  // The same without a description of what is wrong.
  Verdict probe(const Schema& schema, const codec::Json& value);

  const Failure& failure() const noexcept { return failure_; }
  // Pointers to members that no schema names, where one names others; at most kUnknownMax.
  const std::vector<std::string>& unknown() const noexcept { return unknown_; }
  std::uint64_t work_left() const noexcept { return work_left_; }

  static constexpr std::size_t kUnknownMax = 8;

 private:
  // The way from the root, on the stack.
  struct Step {
    const Step* parent = nullptr;
    std::string_view name{};  // of a member; else `index` counts
    std::size_t index = 0;
    bool is_name = false;
  };
  // Which members of one object were described.
  struct Marks {
    explicit Marks(std::size_t members) : more(members > 64 ? members : 0) {}
    void set(std::size_t i) { more.empty() ? void(few |= std::uint64_t{1} << i) : void(more[i] = true); }
    bool has(std::size_t i) const { return more.empty() ? (few >> i & 1) != 0 : bool(more[i]); }
    void merge(const Marks& other);
    std::uint64_t few = 0;
    std::vector<bool> more;
    bool names = false;  // some schema names members
  };

  bool apply_to(const Schema& schema, const codec::Json& value, const Step& step);
  bool apply(const Schema& schema, const codec::Json& value, const Step& step, Marks* marks);
  bool apply_combined(const Schema& schema, const codec::Json& value, const Step& step, Marks* marks);
  bool apply_alternatives(const std::vector<const Schema*>& parts, bool exactly_one, const codec::Json& value,
                          const Step& step, Marks* marks);
  bool apply_condition(const Schema& schema, const codec::Json& value, const Step& step, Marks* marks);
  // Whether what an alternative describes counts, or only whether it holds.
  enum class Says : std::uint8_t { description, truth };
  bool holds(const Schema& schema, const codec::Json& value, const Step& step, Marks* marks, Says says);
  waf::Regex::Outcome match(const waf::Regex& pattern, std::string_view text);
  bool check_number(const Schema& schema, const codec::Json& value, const Step& step);
  bool check_string(const Schema& schema, std::string_view text, const Step& step);
  bool check_array(const Schema& schema, const codec::Json& value, const Step& step);
  bool check_contains(const Schema& schema, const codec::Json& value, const Step& step);
  bool check_unique(const codec::Json& value, const Step& step);
  bool check_object(const Schema& schema, const codec::Json& value, const Step& step, Marks* marks);
  bool check_member(const Schema& schema, const codec::Json& value, std::size_t i, const Step& step, Marks* marks,
                    std::size_t& required);
  bool check_dependents(const Schema& schema, const codec::Json& value, const Step& step, Marks* marks);
  bool check_unevaluated(const Schema& schema, const codec::Json& value, const Step& step, Marks& marks);
  void collect(const codec::Json& value, const Step& step, const Marks& marks);

  bool spend(std::uint64_t units) noexcept;
  bool fail(std::string_view keyword, const Step& step, std::string expected = {});
  static std::string pointer(const Step& step);

  const bool collects_;
  std::uint64_t work_left_;
  bool exhausted_ = false;
  int quiet_ = 0;  // within alternatives: a failure there is not the value's yet
  Failure failure_;
  std::vector<std::string> unknown_;
  bool failed_ = false;
};

}  // namespace gatehouse::schema
