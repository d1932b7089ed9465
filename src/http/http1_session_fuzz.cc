// Whole sessions on a transport without a socket. The input is a script byte and the peer's bytes; they are delivered
// once in one piece and once in pieces that the script chooses, and both must tell the gateway the same. The recorders
// of fake_peers.h check that nothing is called behind the last event.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "http/fake_peers.h"
#include "http/http1_client.h"
#include "http/http1_server.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::http;

// What the gateway does, chosen by the script; the same in both runs.
struct Script {
  std::uint8_t seed;
  bool answers_at_once() const { return seed & 1; }
  bool chunked() const { return seed & 2; }
  bool opens_tunnels() const { return seed & 4; }
  std::size_t abort_at() const { return seed & 8 ? (seed >> 4) + 1 : SIZE_MAX; }  // bytes of body, then give up
};

// Pieces of the input; a linear congruence from the script.
class Pieces {
 public:
  Pieces(std::string_view bytes, std::uint32_t seed) : rest_(bytes), state_(seed) {}
  std::string_view next() {
    state_ = state_ * 1664525u + 1013904223u;
    const std::size_t most = (state_ >> 16) % 4 == 0 ? 64 : 7;
    const std::size_t take = std::min<std::size_t>(1 + (state_ >> 24) % most, rest_.size());
    const std::string_view piece = rest_.substr(0, take);
    rest_.remove_prefix(take);
    return piece;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  std::uint32_t state_;
};

void answer(RecordedRequest& request, const Script& script) {
  ResponseHead head;
  if (script.opens_tunnels() && request.stream->wants_tunnel()) {
    head.status = 101;
    request.stream->open_tunnel(head);
    return;
  }
  head.status = 200;
  if (!script.chunked()) head.content_length = 3;
  request.stream->send_head(head, End::no);
  request.stream->send_body("ok\n", End::yes);
}

struct Told {
  std::string text;  // requests, bodies, ends
};

Told serve(std::string_view bytes, const Script& script, bool in_pieces) {
  FakeClock clock;
  RecordingSink sink;
  ConnectionInfo info;
  Http1ServerOptions options;
  options.header_bytes = 1024;
  options.headers = 12;
  options.uri_bytes = 200;
  options.body_bytes = 300;
  FakeTransport transport(clock);
  const auto session = make_http1_server(transport, sink, info, options);
  transport.attach(*session);
  sink.handler = [&](RecordedRequest& request) {
    request.body_hook = [&request, &script] {
      // Bytes, not calls: the number of calls depends on the split.
      if (request.stream != nullptr && request.body.size() >= script.abort_at()) {
        request.body.resize(script.abort_at());
        request.abort();
      }
    };
    if (script.answers_at_once() || request.ended) {
      answer(request, script);
    } else {
      request.end_hook = [&request, &script] { answer(request, script); };
    }
  };
  if (in_pieces) {
    for (Pieces pieces(bytes, script.seed + 1u); !pieces.empty();) transport.peer_sends(pieces.next());
  } else {
    transport.peer_sends(bytes);
  }
  transport.peer_sends("\n");  // a verdict that waits for the end of its line comes now
  transport.peer_ends();
  if (!transport.dead()) transport.peer_resets();
  Told told;
  for (const auto& request : sink.requests) {
    GH_CHECK(request->stream == nullptr || request->complete || request->aborted);
    GH_CHECK(request->body.size() <= options.body_bytes || request->tunnel);
    // Of a chunk that goes past the bound nothing is delivered, so how much of it was depends on the pieces.
    const bool too_large = request->reason == Reason::body_too_large;
    told.text += request->method + " " + request->target + " " + request->fields + "[" +
                 (too_large ? "too large" : request->body) + "]" + request->trailers + "\n";
  }
  for (const Reason reason : sink.refused) told.text.append("refused ").append(reason_code(reason)).append("\n");
  return told;
}

Told ask(std::string_view bytes, const Script& script, bool in_pieces) {
  FakeClock clock;
  RecordingOwner owner;
  Http1ClientOptions options;
  options.limits = {1024, 12, 0, true};
  FakeTransport transport(clock);
  const auto session = make_http1_client(transport, owner, options);
  transport.attach(*session);
  std::vector<std::unique_ptr<RecordedResponse>> responses;
  const auto open = [&](ClientConnection& connection) {
    auto& response = *responses.emplace_back(std::make_unique<RecordedResponse>());
    ClientStream& stream = connection.open(response);
    response.body_hook = [&response, &stream, &script] {
      if (response.body.size() < script.abort_at()) return;
      response.body.resize(script.abort_at());
      response.abandoned = true;
      stream.abort();
    };
    RequestHead head;
    head.method = script.seed & 16 ? "HEAD" : "GET";
    head.target = "/";
    head.authority = "up";
    if (script.opens_tunnels()) head.fields.add("upgrade", "websocket");
    stream.send_head(head, script.opens_tunnels() ? End::no : End::yes);
  };
  open(*session);
  transport.turn();
  if (in_pieces) {
    for (Pieces pieces(bytes, script.seed + 1u); !pieces.empty();) transport.peer_sends(pieces.next());
  } else {
    transport.peer_sends(bytes);
  }
  transport.peer_sends("\n");
  transport.peer_ends();
  if (!transport.dead()) transport.peer_resets();
  GH_CHECK(owner.closed == 1 && session->available() == 0 && session->active() == 0);
  Told told;
  for (const auto& response : responses) {
    GH_CHECK(response->over() || response->abandoned);
    told.text += std::to_string(response->status) + " " + response->fields + "[" + response->body + "]" +
                 response->trailers + (response->ended ? "ended" : "") + (response->abandoned ? "abandoned" : "") +
                 std::string(reason_code(response->failure.reason)) + "\n";
    for (const int status : response->informational) told.text += std::to_string(status) + "\n";
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const Script script{data[1]};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto run = data[0] % 2 == 0 ? serve : ask;
  const Told whole = run(bytes, script, false), pieces = run(bytes, script, true);
  // A request answered before its end is read on or given up, as it has come or not: there the pieces matter.
  if (run == ask || !script.answers_at_once()) GH_CHECK(whole.text == pieces.text);
  return 0;
}
