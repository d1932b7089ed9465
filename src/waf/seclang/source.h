#pragma once
// Where the parser is and what it found: the files read, and the errors with their places.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "waf/seclang/lexer.h"
#include "waf/seclang/parser.h"

namespace gatehouse::waf {

// One text that is being parsed.
class Source {
 public:
  // `index` is its place in RuleSet::files.
  Source(std::uint32_t index, std::string name, std::string_view text);

  Position position(std::uint32_t offset) const noexcept;
  const std::string& name() const noexcept { return name_; }
  // `path` as the rules of this file mean it: relative to its folder.
  std::string resolved(std::string_view path) const;

 private:
  std::uint32_t index_;
  std::string name_;
  std::vector<std::uint32_t> lines_;  // offset of each line's first byte
};

// Collects up to a bound.
class Findings {
 public:
  Findings(ParseResult& result, std::size_t max) noexcept : result_(result), max_(max) {}
  void error(Position position, std::string message, std::string hint = {});
  void ignore(Position position, std::string message, std::string hint = {});
  std::size_t errors() const noexcept { return errors_; }
  // Reading on would find nothing that can be told: whoever loops stops here, so that the work is bounded too.
  bool full() const noexcept { return errors_ > max_; }

 private:
  ParseResult& result_;
  std::size_t max_;
  std::size_t errors_ = 0;
};

// What a piece of the parser needs to say what is wrong with a span.
struct Place {
  const Source& source;
  Findings& findings;

  void error(const Span& span, std::string message, std::string hint = {}) const {
    findings.error(source.position(span.offset()), std::move(message), std::move(hint));
  }
  void ignore(const Span& span, std::string message, std::string hint = {}) const {
    findings.ignore(source.position(span.offset()), std::move(message), std::move(hint));
  }
};

}  // namespace gatehouse::waf
