// An upstream that answers anything, against the client's session with a few requests open. The first byte picks how
// the input is cut and whether the gateway pauses.

#include "base/check.h"
#include "http/h2_client.h"
#include "http/h2_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace gatehouse;
  using namespace gatehouse::http;
  using namespace gatehouse::http::testing;
  if (size < 2) return 0;
  const std::size_t step = bytes[0] & 0x3f ? bytes[0] & 0x3f : size;
  H2ClientOptions options;
  options.header_bytes = 2048;
  options.headers = 30;
  options.stream_window_bytes = 8192;
  FakeTransport transport;
  RecordingOwner owner;
  const std::unique_ptr<ClientSession> session = make_h2_client(transport, owner, options);
  transport.session = session.get();
  ClientExchange exchanges[5];
  const char* const methods[] = {"GET", "HEAD", "POST", "GET", "CONNECT"};
  for (int i = 0; i < 5; ++i) {
    RequestHead head;
    head.method = methods[i];
    head.scheme = "https";
    head.authority = "a";
    head.target = "/";
    if (i == 4) head.protocol = "websocket";
    exchanges[i].stream = &session->open(exchanges[i]);
    exchanges[i].stream->send_head(head, i == 2 || i == 4 ? End::no : End::yes);
    if (i == 3)
      exchanges[i].response_hook = [](ClientExchange& e) {
        if (e.stream != nullptr) e.stream->abort(), e.stream = nullptr;
      };
  }
  if (bytes[0] & 0x80) exchanges[0].stream->pause_reading();
  transport.flush();
  if (bytes[0] & 0x40) session->on_data(settings());
  const std::string_view input(reinterpret_cast<const char*>(bytes + 1), size - 1);
  for (std::size_t at = 0; at < input.size() && !transport.closing && !transport.closed; at += step) {
    session->on_data(input.substr(at, step));
    transport.flush();
  }
  if (exchanges[2].stream != nullptr) exchanges[2].stream->send_body("the rest", End::yes);
  if (!transport.closed) transport.flush();
  transport.advance(std::chrono::seconds(100));
  transport.close_now();
  for (int i = 0; i < 5; ++i) {
    GH_CHECK(!(exchanges[i].ended && exchanges[i].failed));
    GH_CHECK(i == 3 || exchanges[i].ended || exchanges[i].failed);  // every stream hears of its end
  }
  GH_CHECK(owner.closed == 1);
  GH_CHECK(transport.largest < 1024 * 1024);
  return 0;
}
