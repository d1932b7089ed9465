#pragma once
// The world around a session, for tests and fuzzers: a transport without a socket, and the gateway's side of a stream
// that writes down what it was told.
//
// Every recorder enforces the contract of stream.h: after its last event nothing may call it (GH_CHECK, so that a
// fuzzer sees it too).

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/stream.h"
#include "http/transport.h"

namespace gatehouse::http {

// Behaves as `Connection` does: output leaves in `turn`, input waits while reading is paused, and after a close nothing
// is delivered any more.
class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(FakeClock& clock) : clock_(clock) {}
  void attach(Session& session) noexcept { session_ = &session; }

  // the session's side
  void write(std::string_view data) override {
    if (dead_ || data.empty() || output_ending_) return;
    pending_.append(data);
    above_low_ |= pending_.size() >= kLowWater;
    flush_wanted_ = true;
  }
  std::size_t buffered() const noexcept override { return pending_.size(); }
  void request_flush() override { flush_wanted_ = true; }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override { paused_ = false; }
  void close_after_flush() override {
    if (dead_ || closing_) return;
    session_->before_flush();
    closing_ = flush_wanted_ = true;
    paused_ = false;
    deadline_ = {};
  }
  void end_output() override { output_ending_ = flush_wanted_ = true; }
  void close_now() override { die(); }
  void set_deadline(Duration after) override {
    if (closing_ || dead_) return;
    deadline_ = after > Duration::zero() ? clock_.now() + after : MonotonicTime{};
  }
  MonotonicTime now() const noexcept override { return clock_.now(); }
  FailureKind failure() const noexcept override { return failure_kind; }

  // the peer's side
  void peer_sends(std::string_view data) { inbox_.emplace_back(data), turn(); }
  void peer_ends() { eof_ = true, turn(); }
  void peer_resets() { die(); }

  // Delivers what waits and flushes, as long as there is something to do.
  void turn() {
    for (bool busy = true; busy && !dead_;) {
      busy = false;
      while (!inbox_.empty() && !dead_ && !paused_) {
        const std::string segment = std::move(inbox_.front());
        inbox_.erase(inbox_.begin());
        // In memory of its own, so that a view kept too long is found by the sanitizer.
        if (!closing_ && !segment.empty()) session_->on_data(segment);
        busy = true;
      }
      if (eof_ && !eof_told_ && inbox_.empty() && !paused_ && !dead_) {
        eof_told_ = busy = true;
        if (!closing_) session_->on_eof();
      }
      if (flush_wanted_ && !dead_) {
        flush_wanted_ = false;
        flush();
        busy |= flush_wanted_;
      }
    }
  }
  // Lets time pass; a deadline on the way fires at its moment.
  void pass(Duration by) {
    const MonotonicTime until = clock_.now() + by;
    while (deadline_ != MonotonicTime{} && deadline_ <= until && !dead_ && !closing_) {
      clock_.advance(deadline_ - clock_.now());
      deadline_ = {};
      session_->on_deadline();
      turn();
    }
    clock_.advance(until - clock_.now());
  }

  bool paused() const noexcept { return paused_; }
  bool dead() const noexcept { return dead_; }                 // closed, or `close_now`
  bool closing() const noexcept { return closing_ || dead_; }  // takes no more input
  bool half_closed() const noexcept { return output_ending_ && pending_.empty(); }
  bool has_deadline() const noexcept { return deadline_ != MonotonicTime{}; }
  std::string take() { return std::exchange(out, {}); }

  std::string out;  // what the peer has got
  bool output_ending_ = false;
  std::size_t window = SIZE_MAX;  // bytes that the peer still takes
  FailureKind failure_kind = FailureKind::reset;

 private:
  void flush() {
    if (!closing_) session_->before_flush();
    const std::size_t take = std::min(window, pending_.size());
    out.append(pending_, 0, take);
    pending_.erase(0, take);
    if (window != SIZE_MAX) window -= take;
    if (above_low_ && pending_.size() < kLowWater) {
      above_low_ = false;
      if (!closing_) session_->on_writable();
    }
    if (dead_ || !pending_.empty()) return;
    if (closing_) {
      if (eof_) die();
    } else {
      session_->after_flush();
    }
  }
  void die() {
    if (std::exchange(dead_, true)) return;
    session_->on_closed();
  }

  FakeClock& clock_;
  Session* session_ = nullptr;
  std::string pending_;
  std::vector<std::string> inbox_;
  MonotonicTime deadline_;
  bool paused_ = false, closing_ = false, dead_ = false, eof_ = false, eof_told_ = false;
  bool flush_wanted_ = false, above_low_ = false;
};

inline std::string to_text(const Fields& fields) {
  std::string text;
  for (const Field& field : fields) text.append(field.name).append("=").append(field.value).append(";");
  return text;
}

// One request as the gateway saw it.
struct RecordedRequest final : ServerStreamEvents {
  std::string method, target, authority, fields, body, trailers;
  std::optional<std::uint64_t> content_length;
  bool expect_continue = false, tunnel = false;
  bool ended = false, complete = false, aborted = false;
  Reason reason = Reason::none;
  std::uint64_t bytes_out = 0;
  int drained = 0;
  ServerStream* stream = nullptr;
  std::function<void()> body_hook, end_hook, drained_hook, complete_hook;

  void on_body(std::string_view data) override {
    check_alive();
    body.append(data);
    if (body_hook) body_hook();
  }
  void on_request_end(const Fields& fields_behind) override {
    check_alive();
    GH_CHECK(!ended || tunnel);
    ended = true;
    trailers = to_text(fields_behind);
    if (end_hook) end_hook();
  }
  void on_drained() override {
    check_alive();
    ++drained;
    if (drained_hook) drained_hook();
  }
  void on_complete(std::uint64_t bytes) override {
    check_alive();
    complete = true;
    bytes_out = bytes;
    stream = nullptr;
    if (complete_hook) complete_hook();
  }
  void on_abort(Reason why) override {
    check_alive();
    aborted = true;
    reason = why;
    stream = nullptr;
  }
  // We gave it up: from now on no event may come.
  void abort() {
    aborted = true;
    std::exchange(stream, nullptr)->abort();
  }

 private:
  void check_alive() const { GH_CHECK(!complete && !aborted); }
};

class RecordingSink final : public RequestSink {
 public:
  std::vector<std::unique_ptr<RecordedRequest>> requests;
  std::vector<Reason> refused;
  std::string partial_method;  // of the last refusal
  std::function<void(RecordedRequest&)> handler;
  bool set_events = true;

  void on_request(ServerStream& stream, const RequestHead& head, End end) override {
    auto& request = *requests.emplace_back(std::make_unique<RecordedRequest>());
    request.method = head.method;
    request.target = head.target;
    request.authority = head.authority;
    request.fields = to_text(head.fields);
    request.content_length = head.content_length;
    request.expect_continue = head.expect_continue;
    request.tunnel = stream.wants_tunnel();
    request.ended = end == End::yes;
    request.stream = &stream;
    if (set_events) stream.set_events(request);
    if (handler) handler(request);
  }
  std::string_view on_refused(const ConnectionInfo&, Reason reason, const RequestHead* partial) override {
    refused.push_back(reason);
    partial_method = partial != nullptr ? partial->method : "";
    return "refused-id";
  }
  RecordedRequest& last() { return *requests.back(); }
};

// One response as the gateway saw it.
struct RecordedResponse final : ClientStreamEvents {
  int status = 0;
  std::string fields, body, trailers;
  std::optional<std::uint64_t> content_length;
  std::vector<int> informational;
  bool ended = false, failed = false, abandoned = false, tunnel_ended = false;
  int drained = 0;
  Failure failure;
  std::function<void()> informational_hook, head_hook, body_hook, end_hook;

  bool over() const noexcept { return ended || failed; }
  void on_informational(const ResponseHead& head) override {
    check_alive();
    informational.push_back(head.status);
    if (informational_hook) informational_hook();
  }
  void on_response(const ResponseHead& head, End end) override {
    check_alive();
    GH_CHECK(status == 0);
    status = head.status;
    fields = to_text(head.fields);
    content_length = head.content_length;
    ended = end == End::yes;
    if (head_hook) head_hook();
  }
  void on_body(std::string_view data) override {
    check_alive();
    GH_CHECK(status != 0);
    body.append(data);
    if (body_hook) body_hook();
  }
  void on_tunnel_end() override {
    check_alive();
    GH_CHECK(!tunnel_ended);
    tunnel_ended = true;
  }
  void on_response_end(const Fields& fields_behind) override {
    check_alive();
    ended = true;
    trailers = to_text(fields_behind);
    if (end_hook) end_hook();
  }
  void on_drained() override { check_alive(), ++drained; }
  void on_failure(const Failure& why) override {
    check_alive();
    failed = true;
    failure = why;
  }

 private:
  void check_alive() const { GH_CHECK(!over() && !abandoned); }
};

struct RecordingOwner final : ClientConnectionOwner {
  int available = 0, closed = 0;
  std::function<void(ClientConnection&)> available_hook;
  void on_available(ClientConnection& connection) override {
    GH_CHECK(closed == 0);
    ++available;
    if (available_hook) available_hook(connection);
  }
  void on_closed(ClientConnection&) override {
    ++closed;
    GH_CHECK(closed == 1);
  }
};

}  // namespace gatehouse::http
