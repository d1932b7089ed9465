#include "admin/service_sink.h"

#include "codec/json_writer.h"

namespace gatehouse::admin {

class ServiceSink::Exchange final : public http::ServerStreamEvents {
 public:
  Exchange(ServiceSink& sink, http::ServerStream& stream, Call call) noexcept
      : sink_(sink), stream_(stream), call_(std::move(call)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { *self_ = nullptr; }

  void begin(http::End end) {
    Answer refusal;
    call_.has_body = end == http::End::no;
    if (!sink_.service_.admits(call_, refusal)) {
      stream_.close_after();
      send(refusal);
    } else if (end == http::End::yes) {
      ask();
    }
  }

  void on_body(std::string_view data) override {
    if (answered_) return;
    if (call_.body.size() + data.size() > kBodyBytesMax) {
      stream_.close_after();
      send(problem(413, "The body is too long."));
      return;
    }
    call_.body += data;
  }
  void on_request_end(const http::Fields&) override {
    if (!answered_) ask();
  }
  void on_drained() override {}
  void on_complete(std::uint64_t) override { sink_.forget(*this); }
  void on_abort(http::Reason) override { sink_.forget(*this); }
  void abort() { stream_.abort(); }

 private:
  // Outlives the exchange: whoever sends learns that it is over.
  class Events final : public EventStream {
   public:
    explicit Events(std::shared_ptr<Exchange*> exchange) noexcept : exchange_(std::move(exchange)) {}
    bool is_open() const noexcept override { return *exchange_ != nullptr; }
    std::size_t buffered() const noexcept override { return is_open() ? (*exchange_)->stream_.buffered() : 0; }
    void send(std::string_view data) override {
      if (is_open()) (*exchange_)->stream_.send_body(data, http::End::no);
    }

   private:
    const std::shared_ptr<Exchange*> exchange_;
  };

  void ask() {
    sink_.service_.answer(call_, [self = self_](const Answer& answer) {
      if (*self != nullptr) (*self)->send(answer);
    });
  }

  void send(const Answer& answer) {
    answered_ = true;
    http::ResponseHead head;
    head.status = answer.status;
    if (!answer.goes_on) head.content_length = answer.body.size();
    head.fields.add("content-type", answer.content_type);
    head.fields.add("cache-control", answer.cache_control);
    head.fields.add("x-content-type-options", "nosniff");
    if (!answer.allow.empty()) head.fields.add("allow", answer.allow);
    if (!answer.challenge.empty()) head.fields.add("www-authenticate", answer.challenge);
    for (const auto& [name, value] : answer.fields) head.fields.add(name, value);
    if (answer.goes_on && call_.method != "HEAD") {
      stream_.send_head(head, http::End::no);
      answer.goes_on(std::make_shared<Events>(self_));
    } else if (call_.method == "HEAD" || answer.body.empty()) {
      stream_.send_head(head, http::End::yes);
    } else {
      stream_.send_head(head, http::End::no);
      stream_.send_body(answer.body, http::End::yes);
    }
  }

  ServiceSink& sink_;
  http::ServerStream& stream_;
  Call call_;
  bool answered_ = false;
  const std::shared_ptr<Exchange*> self_ = std::make_shared<Exchange*>(this);  // for who answers later
};

ServiceSink::ServiceSink(Service& service) noexcept : service_(service) {}

ServiceSink::~ServiceSink() {
  for (auto& [exchange, owned] : exchanges_) exchange->abort();
}

void ServiceSink::on_request(http::ServerStream& stream, const http::RequestHead& head, http::End end) {
  const auto field = [&](std::string_view name) { return std::string(head.fields.get(name).value_or("")); };
  const std::size_t question = head.target.find('?');
  Call call;
  call.method = head.method;
  call.path = head.target.substr(0, question);
  if (question != std::string_view::npos) call.query = head.target.substr(question + 1);
  call.host = head.authority;
  // Two Authorization fields are nobody's: which of them counts would be a matter of taste.
  if (head.fields.count("authorization") == 1) call.authorization = field("authorization");
  call.content_type = field("content-type");
  call.accept = field("accept");
  call.origin = field("origin");
  call.cookie = field("cookie");
  call.accept_encoding = field("accept-encoding");
  call.sec_fetch_site = field("sec-fetch-site");
  call.last_event_id = field("last-event-id");
  call.if_none_match = field("if-none-match");
  call.ui_request = field("x-gatehouse-ui");
  call.connection = &stream.connection();
  auto owned = std::make_unique<Exchange>(*this, stream, std::move(call));
  Exchange& exchange = *owned;
  exchanges_.emplace(&exchange, std::move(owned));
  stream.set_events(exchange);
  stream.set_body_max(kBodyBytesMax);
  exchange.begin(end);
}

std::string_view ServiceSink::on_refused(const http::ConnectionInfo&, http::Reason, const http::RequestHead*) {
  return {};
}

void ServiceSink::forget(Exchange& exchange) noexcept { exchanges_.erase(&exchange); }

Answer problem(int status, std::string_view detail) {
  Answer answer;
  answer.status = status;
  answer.content_type = "application/problem+json";
  codec::JsonWriter json(answer.body);
  json.raw("{\"type\":\"about:blank\",\"title\":");
  json.string(http::status_text(status));
  json.raw(",\"status\":");
  json.number(status);
  json.raw(",\"detail\":");
  json.string(detail);
  json.raw("}");
  json.flush();
  return answer;
}

bool MetricsService::admits(const Call& call, Answer& refusal) {
  if (call.path != "/metrics") {
    refusal = problem(404, "Only /metrics is here.");
    return false;
  }
  if (call.method != "GET" && call.method != "HEAD") {
    refusal = problem(405, "Only GET and HEAD.");
    refusal.allow = "GET, HEAD";
    return false;
  }
  return true;
}

void MetricsService::answer(const Call& call, const Reply& reply) {
  Answer answer;
  const auto format = telemetry::metrics_format_of(call.accept);
  answer.content_type = telemetry::content_type_of(format);
  answer.body = metrics_.render(format);
  reply(answer);
}

}  // namespace gatehouse::admin
