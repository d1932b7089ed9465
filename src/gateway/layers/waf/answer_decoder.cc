#include "gateway/layers/waf/answer_decoder.h"

#include <algorithm>

namespace gatehouse::gateway {

std::unique_ptr<AnswerDecoder> AnswerDecoder::create(waf::ContentCoding coding) {
  auto decoder = waf::ContentDecoder::create(coding, true);
  return decoder ? std::make_unique<AnswerDecoder>(std::move(decoder)) : nullptr;
}

void AnswerDecoder::take(std::string_view coded) {
  if (*problem_ != '\0') return;
  if (at_ == coded_.size()) {
    coded_.clear();
    at_ = 0;
  }
  coded_.append(coded);
  taken_ += coded.size();
  has_more_ |= !coded.empty();
}

AnswerDecoder::Step AnswerDecoder::decode(std::string& out) {
  out.clear();
  if (*problem_ != '\0') return Step::failed;
  std::string_view bytes = std::string_view(coded_).substr(at_);
  const waf::ContentDecoder::Step step = decoder_->decode(bytes, kStepBytes, out);
  at_ = coded_.size() - bytes.size();
  decoded_ += out.size();
  if (decoded_ > kBytesWithoutRatio && decoded_ / kRatioMax > taken_) {
    out.clear();
    return fail("the compressed answer expands too far");
  }
  ended_ = step == waf::ContentDecoder::Step::ended;
  if (step == waf::ContentDecoder::Step::malformed) return fail("the compressed answer is malformed");
  if (ended_ && !bytes.empty()) return fail("there are bytes behind the compressed answer");
  has_more_ = step == waf::ContentDecoder::Step::has_more;
  if (has_more_) return Step::has_more;
  // A long pause must not cost the memory of a large piece.
  coded_ = std::string();
  at_ = 0;
  return Step::needs_input;
}

bool AnswerDecoder::ends_well() noexcept {
  if (*problem_ == '\0' && !ended_ && taken_ != 0) fail("the compressed answer breaks off");
  return *problem_ == '\0';
}

AnswerDecoder::Step AnswerDecoder::fail(const char* why) noexcept {
  problem_ = why;
  has_more_ = false;
  return Step::failed;
}

}  // namespace gatehouse::gateway
