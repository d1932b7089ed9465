#pragma once
// An answer that came compressed, decoded while it streams, so that secrets in it can be found.
//
// Sans-I/O: coded bytes in, decoded ones out, a step at a time, so that who sends them on can stop when the client
// does not read. Invariants: (1) a step gives at most kStepBytes; (2) beyond kBytesWithoutRatio there are never more
// than kRatioMax decoded bytes for one that came: what a step costs is bounded by what the service sent. One owner, one
// shard.

#include <memory>
#include <string>
#include <string_view>

#include "waf/body/content_coding.h"

namespace gatehouse::gateway {

class AnswerDecoder {
 public:
  static constexpr std::size_t kStepBytes = 16 * 1024;
  static constexpr std::size_t kRatioMax = 200;
  static constexpr std::size_t kBytesWithoutRatio = 1024 * 1024;

  enum class Step : std::uint8_t { needs_input, has_more, failed };

  // Null for what is not compressed, or in a coding that is not read.
  static std::unique_ptr<AnswerDecoder> create(waf::ContentCoding coding);
  explicit AnswerDecoder(std::unique_ptr<waf::ContentDecoder> decoder) noexcept : decoder_(std::move(decoder)) {}

  void take(std::string_view coded);
  bool has_more() const noexcept { return has_more_; }
  // Replaces `out`.
  Step decode(std::string& out);
  // All has come: whether the answer may end here. An empty one may.
  bool ends_well() noexcept;
  const char* problem() const noexcept { return problem_; }
  // Of the library's, on the heap.
  std::size_t bytes() const noexcept { return decoder_->bytes(); }

 private:
  Step fail(const char* why) noexcept;

  std::unique_ptr<waf::ContentDecoder> decoder_;
  std::string coded_;  // not decoded yet, from at_ on
  std::size_t at_ = 0;
  std::uint64_t taken_ = 0, decoded_ = 0;
  bool has_more_ = false, ended_ = false;
  const char* problem_ = "";
};

}  // namespace gatehouse::gateway
