#include "waf/operator/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <mutex>

#include "base/check.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kJitStackBytesMin = 32 * 1024;
constexpr std::size_t kJitStackBytesMax = 512 * 1024;
constexpr std::uint32_t kHeapKibibytesMax = 20 * 1024;  // of the interpreter, for the patterns that have no JIT code

// Working memory of one thread; made at its first match.
class Workspace {
 public:
  Workspace()
      : data_(pcre2_match_data_create(kCapturesMax, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        jit_stack_(pcre2_jit_stack_create(kJitStackBytesMin, kJitStackBytesMax, nullptr)) {
    GH_CHECK(data_ != nullptr && context_ != nullptr);  // out of memory
    pcre2_set_heap_limit(context_, kHeapKibibytesMax);
    if (jit_stack_ != nullptr) pcre2_jit_stack_assign(context_, nullptr, jit_stack_);
  }
  ~Workspace() {
    pcre2_match_data_free(data_);
    pcre2_match_context_free(context_);
    pcre2_jit_stack_free(jit_stack_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  pcre2_match_data* data() const noexcept { return data_; }
  pcre2_match_context* context(std::uint32_t match_limit, std::size_t last_start) const noexcept {
    pcre2_set_match_limit(context_, match_limit);
    pcre2_set_offset_limit(context_, last_start);
    return context_;
  }

 private:
  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* jit_stack_;
};

}  // namespace

class Regex::Code {
 public:
  explicit Code(pcre2_code* code) noexcept : code_(code) {}
  ~Code() { pcre2_code_free(code_); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  // Nobody matches with it before the machine code is there: making it writes to the pattern.
  const pcre2_code* ready() {
    std::call_once(compiled_, [this] {
      pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);  // without it the interpreter runs, slower and with the same limits
    });
    return code_;
  }

 private:
  pcre2_code* code_;
  std::once_flag compiled_;
};

void Regex::CodeDelete::operator()(Code* code) const noexcept { delete code; }

Result<Regex> Regex::compile(std::string_view pattern, Dialect dialect) {
  // ECMA-262 has no verbs in front; PCRE2's could lift the limits.
  if (dialect == Dialect::ecma && pattern.starts_with("(*")) {
    return fail(ErrorCode::invalid, "quantifier does not follow a repeatable item, at byte 1 of the pattern");
  }
  constexpr std::uint32_t kEcma = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
                                  PCRE2_ALLOW_EMPTY_CLASS | PCRE2_NEVER_BACKSLASH_C;
  constexpr std::uint32_t kModSecurity = PCRE2_DOTALL | PCRE2_MULTILINE | PCRE2_USE_OFFSET_LIMIT;
  const std::uint32_t options = dialect == Dialect::ecma ? kEcma : kModSecurity;
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &offset, nullptr);
  if (code == nullptr) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    return fail(ErrorCode::invalid,
                fmt::format("{}, at byte {} of the pattern", reinterpret_cast<const char*>(message), offset));
  }
  std::uint32_t effective = 0;
  pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &effective);
  return Regex(new Code(code),
               dialect == Dialect::modsecurity && pattern.find("(*") == std::string_view::npos &&
                   pattern.find("\\G") == std::string_view::npos,
               (effective & PCRE2_ANCHORED) != 0);
}

Regex::Outcome Regex::match(std::string_view value, Captures* captures, std::uint32_t match_limit) const noexcept {
  return run(value, 0, PCRE2_UNSET, captures, match_limit);
}

Regex::Outcome Regex::match_from(Starts starts, std::string_view value, Captures* captures,
                                 std::uint32_t match_limit) const noexcept {
  return run(value, starts.first, starts.last, captures, match_limit);
}

Regex::Outcome Regex::run(std::string_view value, std::size_t first, std::size_t last, Captures* captures,
                          std::uint32_t match_limit) const noexcept {
  thread_local const Workspace workspace;
  const int groups = pcre2_match(code_->ready(), reinterpret_cast<PCRE2_SPTR>(value.empty() ? "" : value.data()),
                                 value.size(), first, 0, workspace.data(), workspace.context(match_limit, last));
  if (groups == PCRE2_ERROR_NOMATCH) return Outcome::no_match;
  // Besides the match limit: depth, heap and JIT stack. They are limits as well.
  if (groups < 0) return Outcome::limit_reached;
  if (captures != nullptr) {
    captures->fill(std::nullopt);
    const std::size_t* offsets = pcre2_get_ovector_pointer(workspace.data());
    // 0: more groups than there is room for, and all of the room is used.
    const std::size_t known = groups == 0 ? kCapturesMax : static_cast<std::size_t>(groups);
    for (std::size_t i = 0; i < known; ++i) {
      const std::size_t begin = offsets[2 * i], end = offsets[2 * i + 1];
      // `\K` in a lookahead can put the beginning behind the end.
      if (begin != PCRE2_UNSET && begin <= end) (*captures)[i] = Match{begin, end - begin};
    }
  }
  return Outcome::match;
}

}  // namespace gatehouse::waf
