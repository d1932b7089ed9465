#pragma once
// Small request-and-answer services of our own (the admin API, the metrics page) behind the HTTP stack: collects a
// bounded body, asks the service, sends one answer.
//
// Shard rule: lives on the control plane's loop and is called from it only.
// Lifetime: the sink must outlive the connections it serves; exchanges end with their streams.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/stream.h"
#include "telemetry/metrics.h"

namespace gatehouse::admin {

struct Call {
  std::string method;
  std::string path, query;  // of the target, as they came
  std::string host;         // the authority
  std::string authorization, content_type, accept, origin;
  // What browsers add, and what the dashboard's own script does.
  std::string cookie, accept_encoding, sec_fetch_site, last_event_id, if_none_match, ui_request;
  bool has_body = false;  // the head says so
  std::string body;
  const http::ConnectionInfo* connection = nullptr;
  std::string caller;  // who was found to call, for the audit trail: "token", "uid=0"
};

// The end of an answer that goes on: events are sent as they happen. On the loop of the sink alone.
class EventStream {
 public:
  virtual ~EventStream() = default;
  virtual bool is_open() const noexcept = 0;  // false: the peer is gone, and nothing is sent any more
  virtual std::size_t buffered() const noexcept = 0;
  virtual void send(std::string_view data) = 0;
};

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;                                             // of a 405
  std::string challenge;                                         // of a 401
  std::vector<std::pair<std::string, std::string>> fields = {};  // further ones
  std::string cache_control = "no-store";
  // Set: there is no `body`. It is called once the head is sent, and keeps the stream.
  std::function<void(std::shared_ptr<EventStream>)> goes_on = {};
};

class Service {
 public:
  virtual ~Service() = default;
  // Looks at a head before its body is read: true lets it in, false has filled in `refusal`.
  virtual bool admits(const Call& call, Answer& refusal) = 0;
  // Once, with the call or later on the same loop. Whoever asked may be gone by then: the answer is for nobody.
  using Reply = std::function<void(const Answer&)>;
  // `call` is good until the reply.
  virtual void answer(const Call& call, const Reply& reply) = 0;
};

class ServiceSink final : public http::RequestSink {
 public:
  static constexpr std::size_t kBodyBytesMax = 64 * 1024;

  explicit ServiceSink(Service& service) noexcept;
  ~ServiceSink() override;
  ServiceSink(const ServiceSink&) = delete;
  ServiceSink& operator=(const ServiceSink&) = delete;

  void on_request(http::ServerStream& stream, const http::RequestHead& head, http::End end) override;
  std::string_view on_refused(const http::ConnectionInfo& connection, http::Reason reason,
                              const http::RequestHead* partial) override;

 private:
  class Exchange;
  void forget(Exchange& exchange) noexcept;

  Service& service_;
  std::unordered_map<Exchange*, std::unique_ptr<Exchange>> exchanges_;
};

// application/problem+json (RFC 9457).
Answer problem(int status, std::string_view detail);

// The metrics alone, for `telemetry.metrics.address`: GET /metrics, without authentication, nothing else.
class MetricsService final : public Service {
 public:
  explicit MetricsService(const telemetry::Metrics& metrics) noexcept : metrics_(metrics) {}
  bool admits(const Call& call, Answer& refusal) override;
  void answer(const Call& call, const Reply& reply) override;

 private:
  const telemetry::Metrics& metrics_;
};

}  // namespace gatehouse::admin
