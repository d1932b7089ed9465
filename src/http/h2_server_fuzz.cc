// A client that sends anything, against the server's session. The first byte picks how the gateway behaves and how the
// input is cut; the preface is put in front, so that the fuzzer starts where it gets interesting.

#include "base/check.h"
#include "http/h2_server.h"
#include "http/h2_testing.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::http;
using namespace gatehouse::http::testing;

// Answers in a way that depends on the request, so that the input decides.
void answer(ServerExchange& exchange, const RequestHead& head, End end) {
  const std::size_t choice = (head.target.size() + head.fields.size()) % 8;
  ServerStream& stream = *exchange.stream;
  ResponseHead response = ok();
  response.fields.add("x-a", "b");
  switch (choice) {
    case 0: stream.send_head(response, End::yes); break;
    case 1:
      response.content_length = 5;
      stream.send_head(response, End::no);
      stream.send_body("hello", End::yes);
      break;
    case 2:
      stream.abort();
      exchange.stream = nullptr;  // given up: no further event, and no further call
      break;
    case 3: stream.pause_reading(); break;
    case 4:
      if (stream.wants_tunnel()) {
        stream.open_tunnel(response);
      } else {
        response.status = 100;
        stream.send_informational(response);
      }
      break;
    case 5:
      stream.send_head(response, End::no);
      stream.send_body(std::string(100'000, 'x'), End::no);
      stream.send_trailers(response.fields);
      break;
    case 6: exchange.body_hook = [](ServerExchange& e, std::string_view) { e.stream->abort(); }; break;
    default:
      if (end == End::yes) stream.close_after();
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = bytes[0] & 0x3f ? bytes[0] & 0x3f : size;
  H2ServerOptions options;
  options.header_bytes = 2048;
  options.headers = 30;
  options.body_bytes = 5000;
  options.stream_window_bytes = 8192;
  TestServer server(options);
  server.sink.request_hook = answer;
  server.transport.blocked = (bytes[0] & 0xc0) == 0xc0;
  if (bytes[0] & 0x40) server.feed(preface());
  const std::string_view input(reinterpret_cast<const char*>(bytes + 1), size - 1);
  for (std::size_t at = 0; at < input.size(); at += step) server.feed(input.substr(at, step));
  server.transport.advance(std::chrono::seconds(7));
  server.transport.flush();
  for (const auto& exchange : server.sink.exchanges) {
    // One end, once.
    GH_CHECK(!(exchange->completed && exchange->aborted));
    if (exchange->stream != nullptr && !exchange->body_hook && !exchange->completed && !exchange->aborted) {
      if (server.transport.closing || server.transport.closed) continue;
      if (bytes[0] & 0x80) exchange->stream->resume_reading();
    }
  }
  server.transport.flush();
  GH_CHECK(server.transport.largest < 1024 * 1024);
  server.transport.advance(std::chrono::seconds(130));
  server.transport.close_now();
  return 0;
}
