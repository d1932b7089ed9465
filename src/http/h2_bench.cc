// What one request costs in the HTTP/2 codec alone: bytes of a browser-like GET in, a small JSON answer out. Run
// pinned:
//   taskset -c 1 build/release/src/http_bench --benchmark_filter=H2

#include <benchmark/benchmark.h>

#include "http/h2_client.h"
#include "http/h2_server.h"
#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;

// Takes all and forgets it.
class NullTransport final : public Transport {
 public:
  void write(std::string_view data) override { bytes += data.size(), ++writes; }
  std::size_t buffered() const noexcept override { return 0; }
  void request_flush() override {}
  void pause_reading() override {}
  void resume_reading() override {}
  void close_after_flush() override { closed = true; }
  void end_output() override {}
  void close_now() override { closed = true; }
  void set_deadline(Duration) override {}
  MonotonicTime now() const noexcept override { return MonotonicTime(std::chrono::seconds(1000)); }
  std::uint64_t bytes = 0, writes = 0;
  bool closed = false;
};

class JsonSink final : public RequestSink, public ServerStreamEvents {
 public:
  explicit JsonSink(std::size_t bytes) : body_(bytes, 'j') {
    head_.status = 200;
    head_.fields.add("content-type", "application/json");
    head_.fields.add("x-request-id", "01J9Z0W3V5E8K6T2N4B7R1M0QX");
    head_.fields.add("x-content-type-options", "nosniff");
    head_.fields.add("strict-transport-security", "max-age=31536000; includeSubDomains");
    head_.content_length = bytes;
  }
  void on_request(ServerStream& stream, const RequestHead&, End) override {
    stream.set_events(*this);
    stream.send_head(head_, End::no);
    stream.send_body(body_, End::yes);
  }
  std::string_view on_refused(const ConnectionInfo&, Reason, const RequestHead*) override { return {}; }
  void on_body(std::string_view) override {}
  void on_request_end(const Fields&) override {}
  void on_drained() override {}
  void on_complete(std::uint64_t) override { ++completed; }
  void on_abort(Reason) override {}
  std::uint64_t completed = 0;

 private:
  std::string body_;
  ResponseHead head_;
};

// `range(0)` requests in each read; `range(1)` bytes of body in each answer.
void BM_H2Server(benchmark::State& state) {
  constexpr int kReads = 1000;
  const int batch = static_cast<int>(state.range(0));
  // Recorded once: what a client of nghttp2's sends, its windows open wide.
  Nghttp2Peer client(false, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff}});
  nghttp2_session_set_local_window_size(client.session, 0, 0, 0x7fffffff);
  std::string begin = client.send();
  std::vector<std::string> reads;
  const FieldList fields = with(get("/api/catalogue/items?page=3"), {{"user-agent", "Mozilla/5.0 (X11; Linux x86_64)"},
                                                                     {"accept", "application/json"},
                                                                     {"accept-encoding", "gzip, br"},
                                                                     {"authorization", std::string(400, 't')},
                                                                     {"cookie", "session=0123456789abcdef"}});
  nghttp2_session_set_next_stream_id(client.session, 1);
  for (int i = 0; i < kReads; ++i) {
    std::string bytes;
    for (int j = 0; j < batch; ++j) {
      client.request(fields);
      bytes += client.send();
      nghttp2_submit_rst_stream(client.session, 0, 2 * (i * batch + j) + 1, 0);  // makes room; its frame is not used
      client.send();
    }
    reads.push_back(std::move(bytes));
  }
  H2ServerOptions options;
  options.requests_max = 1'000'000'000;
  ConnectionInfo info;
  info.tls = true;
  std::uint64_t requests = 0, writes = 0;
  for (auto _ : state) {
    NullTransport transport;
    JsonSink sink(static_cast<std::size_t>(state.range(1)));
    const auto session = make_h2_server(transport, sink, info, options);
    session->on_data(begin);
    for (const std::string& read : reads) {
      session->on_data(read);
      session->before_flush();
    }
    session->after_flush();
    if (sink.completed != static_cast<std::uint64_t>(kReads * batch) || transport.closed)
      state.SkipWithError("incomplete");
    requests += sink.completed;
    writes += transport.writes;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(requests));
  state.counters["ns_per_request"] = benchmark::Counter(static_cast<double>(requests) * 1e-9,
                                                        benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["writes_per_read"] = static_cast<double>(writes) / static_cast<double>(requests) * batch;
}
BENCHMARK(BM_H2Server)->Args({1, 200})->Args({10, 200})->Args({1, 100'000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gatehouse::http
