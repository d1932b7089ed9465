// Heads and chunked bodies of any bytes. Invariants: a verdict on a prefix is the verdict on the whole; what was
// accepted and is written out again parses to the same; a chunked body decodes the same however it is split.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "http/fake_peers.h"
#include "http/http1_parser.h"
#include "http/http1_writer.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::http;

const HeadLimits kLimits{2048, 20, 256, false};

struct Verdict {
  ParseResult result;
  std::string text;
};

// In memory of exactly that size, so that a read past the end is found.
std::unique_ptr<char[]> exact(std::string_view bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return copy;
}

Verdict request(std::string_view bytes) {
  const auto copy = exact(bytes);
  Arena arena;
  Http1Request out;
  Verdict verdict{parse_request_head({copy.get(), bytes.size()}, kLimits, arena, out), {}};
  if (verdict.result.status != ParseStatus::complete) return verdict;
  const RequestHead& head = out.head;
  GH_CHECK(is_token(head.method) && !head.target.empty() && !head.authority.empty());
  GH_CHECK(head.target == "*" || head.target.front() == '/');
  GH_CHECK(head.target.find_first_of(" \t\r\n#") == std::string_view::npos);
  GH_CHECK(head.target.size() <= kLimits.uri_bytes + 1 && head.fields.size() <= kLimits.headers);
  GH_CHECK(verdict.result.consumed <= kLimits.header_bytes);
  GH_CHECK(!(out.framing == Framing::chunked && head.content_length));
  GH_CHECK(out.upgrade.empty() || out.framing == Framing::none);
  for (const Field& field : head.fields) {
    GH_CHECK(is_token(field.name) && is_field_value(field.value) && field.name != "host");
    for (const char c : field.name) GH_CHECK(c != '_' && !(c >= 'A' && c <= 'Z'));
  }
  verdict.text = std::string(head.method) + " " + std::string(head.target) + " " + std::string(head.authority) + " " +
                 to_text(head.fields);
  return verdict;
}

Verdict response(std::string_view bytes) {
  const auto copy = exact(bytes);
  Arena arena;
  Http1Response out;
  Verdict verdict{parse_response_head({copy.get(), bytes.size()}, kLimits, false, arena, out), {}};
  if (verdict.result.status != ParseStatus::complete) return verdict;
  GH_CHECK(out.head.status >= 100 && out.head.status <= 599);
  for (const Field& field : out.head.fields) GH_CHECK(is_token(field.name) && is_field_value(field.value));
  verdict.text = std::to_string(out.head.status) + " " + to_text(out.head.fields);
  return verdict;
}

void same_for_every_prefix(std::string_view bytes, Verdict (*parse)(std::string_view)) {
  const Verdict whole = parse(bytes);
  // Every prefix of a short head, a sample of a long one.
  const std::size_t step = bytes.size() < 300 ? 1 : bytes.size() / 150;
  for (std::size_t n = 0; n < bytes.size(); n += step) {
    const Verdict part = parse(bytes.substr(0, n));
    if (part.result.status == ParseStatus::incomplete) continue;
    GH_CHECK(part.result.status == whole.result.status && part.result.reason == whole.result.reason);
    GH_CHECK(part.result.consumed == whole.result.consumed && part.text == whole.text);
  }
}

// What we would send upstream for an accepted head is itself accepted, and means the same.
void same_when_written_again(std::string_view bytes) {
  Arena arena;
  Http1Request out;
  if (parse_request_head(bytes, kLimits, arena, out).status != ParseStatus::complete) return;
  std::string written;
  FramingChoice choice;
  if (out.framing == Framing::chunked) choice.framing = WriteFraming::chunked;
  if (out.head.content_length) choice = {WriteFraming::length, *out.head.content_length, {}};
  append_request_head(written, out.head, choice);
  Arena second_arena;
  Http1Request second;
  HeadLimits limits = kLimits;
  limits.header_bytes *= 2;  // "a:1" becomes "a: 1"
  limits.headers += 2;
  limits.uri_bytes += 1;
  const ParseResult result = parse_request_head(written, limits, second_arena, second);
  GH_CHECK(result.status == ParseStatus::complete && result.consumed == written.size());
  GH_CHECK(second.head.method == out.head.method && second.head.target == out.head.target);
  GH_CHECK(second.head.authority == out.head.authority && second.framing == out.framing);
  GH_CHECK(second.head.content_length == out.head.content_length);
}

struct Decoded {
  std::string content, trailers;
  std::size_t used = 0;
  Reason reason = Reason::none;
  bool done = false;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t step) {
  ChunkedDecoder decoder(kLimits);
  Decoded out;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const std::string_view piece = bytes.substr(at, step);
    const auto copy = exact(piece);
    std::string_view in(copy.get(), piece.size()), chunk;
    for (bool more = true; more;) {
      switch (decoder.next(in, chunk)) {
        case ChunkedDecoder::Status::need_more:
          GH_CHECK(in.empty());
          more = false;
          break;
        case ChunkedDecoder::Status::data: out.content.append(chunk); break;
        case ChunkedDecoder::Status::done:
          out.done = true;
          out.used = at + piece.size() - in.size();
          out.trailers = to_text(decoder.trailers());
          return out;
        case ChunkedDecoder::Status::refused: out.reason = decoder.reason(); return out;
      }
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 4096) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      same_for_every_prefix(bytes, request);
      same_when_written_again(bytes);
      break;
    case 1: same_for_every_prefix(bytes, response); break;
    default: {
      // A trailer's verdict may wait for the end of its line.
      const std::string body = std::string(bytes) + "\n";
      const Decoded whole = decode(body, body.size());
      for (const std::size_t step : {1, 2, 3, 5, 17}) GH_CHECK(decode(body, step) == whole);
    }
  }
  return 0;
}
