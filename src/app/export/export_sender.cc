#include "app/export/export_sender.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/curl_handle.h"

namespace gatehouse::app {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kAnswerBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kDatagramBytesMax = 65'000, kStatsdBytesMax = 1432;  // the latter fits an Ethernet frame

tl::unexpected<Error> again(ErrorCode code, std::string message) {
  auto error = fail(code, std::move(message), ErrorSource::upstream);
  error.value().retry = Retry::safe;
  return error;
}

int on_progress(void* asked, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(asked))() ? 1 : 0;
}

void set_bounds(CURL* c, const gateway::ExportConfig& config, const std::function<bool()>& abandoned, char* reason) {
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, const_cast<std::function<bool()>*>(&abandoned));
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);  // the token goes nowhere else
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(ExportSender::kConnectMax.count()));
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(ExportSender::kSendMax.count()));
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason);
  const char* system = std::getenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe): nobody writes the environment
  if (!config.ca.empty()) {
    curl_easy_setopt(c, CURLOPT_CAINFO, config.ca.c_str());
    curl_easy_setopt(c, CURLOPT_CAPATH, nullptr);  // these authorities, not the system's beside them
  } else if (system != nullptr) {
    curl_easy_setopt(c, CURLOPT_CAINFO, system);
  }
}

tl::unexpected<Error> curl_failed(CURLcode code, const char* reason) {
  return again(code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timeout : ErrorCode::unavailable,
               reason[0] != '\0' ? reason : curl_easy_strerror(code));
}

std::size_t on_answer(char* bytes, std::size_t /*one*/, std::size_t size, void* into) {
  auto& body = *static_cast<std::string*>(into);
  if (body.size() + size > kAnswerBytesMax) return 0;
  body.append(bytes, size);
  return size;
}

class HttpSender final : public ExportSender {
 public:
  HttpSender(const ExportTarget& target, const gateway::ExportConfig& config, std::function<bool()> abandoned)
      : target_(target), config_(config), abandoned_(std::move(abandoned)) {}

  Result<std::uint32_t> send(const ExportBatch& batch) override {
    if (!curl_) curl_ = new_curl();  // kept, and with it the connection
    if (!curl_) return again(ErrorCode::unavailable, "libcurl does not start");
    CURL* c = curl_.get();
    char reason[CURL_ERROR_SIZE] = "";
    curl_easy_reset(c);
    set_bounds(c, config_, abandoned_, reason);
    const std::string url = url_of(batch.signal);
    const CurlListPtr fields = fields_of();
    std::string answer;
    curl_easy_setopt(c, CURLOPT_URL, url.c_str());
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields.get());
    curl_easy_setopt(c, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(batch.body.size()));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, batch.body.data());
    const CURLcode code = curl_easy_perform(c);
    if (code != CURLE_OK) return curl_failed(code, reason);
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    return judge(static_cast<int>(status), answer);
  }

 private:
  std::string url_of(ExportSignal signal) const {
    switch (target_.protocol) {
      case ExportProtocol::otlp: {
        constexpr std::string_view kPaths[] = {"/v1/logs", "/v1/traces", "/v1/metrics"};
        return target_.url + std::string(kPaths[static_cast<std::size_t>(signal)]);
      }
      case ExportProtocol::influx: {
        const CurlText name(curl_easy_escape(curl_.get(), config_.database.c_str(), 0));
        return target_.url + "/write?precision=ns&db=" + (name ? name.get() : "");
      }
      case ExportProtocol::elastic: return target_.url + "/_bulk";
      default: return target_.url + "/services/collector/event";
    }
  }

  CurlListPtr fields_of() const {
    curl_slist* list = nullptr;
    const auto add = [&](const std::string& field) { list = curl_slist_append(list, field.c_str()); };
    add("Expect:");
    switch (target_.protocol) {
      case ExportProtocol::influx: add("Content-Type: text/plain; charset=utf-8"); break;
      case ExportProtocol::elastic: add("Content-Type: application/x-ndjson"); break;
      default: add("Content-Type: application/json");
    }
    if (!config_.token.empty()) {
      const std::string_view scheme = target_.protocol == ExportProtocol::elastic  ? "ApiKey"
                                      : target_.protocol == ExportProtocol::splunk ? "Splunk"
                                      : target_.protocol == ExportProtocol::influx ? "Token"
                                                                                   : "Bearer";
      add(fmt::format("Authorization: {} {}", scheme, config_.token.expose()));
    }
    return CurlListPtr(list);
  }

  // What is too large or malformed stays so. A wrong token or path can be put right while the rest waits.
  Result<std::uint32_t> judge(int status, const std::string& answer) const {
    if (status / 100 == 2) {
      if (target_.protocol == ExportProtocol::elastic) return read_bulk_answer(answer);
      return target_.protocol == ExportProtocol::otlp ? read_otlp_answer(answer) : 0;
    }
    const std::string said = fmt::format("status {}: {}", status, answer.substr(0, 200));
    if (status == 400 || status == 413 || status == 422) return fail(ErrorCode::invalid, said, ErrorSource::upstream);
    return again(ErrorCode::unavailable, said);
  }

  struct CurlTextFree {
    void operator()(char* text) const noexcept { curl_free(text); }
  };
  using CurlText = std::unique_ptr<char, CurlTextFree>;

  const ExportTarget target_;
  const gateway::ExportConfig& config_;
  const std::function<bool()> abandoned_;
  CurlPtr curl_;
};

// A connection that stays. libcurl makes it, with its TLS; what goes over it is ours.
class StreamSender final : public ExportSender {
 public:
  StreamSender(const ExportTarget& target, const gateway::ExportConfig& config, std::function<bool()> abandoned)
      : target_(target), config_(config), abandoned_(std::move(abandoned)) {}

  Result<std::uint32_t> send(const ExportBatch& batch) override {
    if (curl_ && ended_by_peer()) curl_.reset();
    if (!curl_) {
      if (auto connected = connect(); !connected) return tl::unexpected(std::move(connected.error()));
    }
    const auto until = std::chrono::steady_clock::now() + kSendMax;
    for (std::size_t sent = 0; sent < batch.body.size();) {
      std::size_t part = 0;
      const CURLcode code = curl_easy_send(curl_.get(), batch.body.data() + sent, batch.body.size() - sent, &part);
      sent += part;
      if (code == CURLE_OK) continue;
      if (code == CURLE_AGAIN && std::chrono::steady_clock::now() < until && !abandoned_()) {
        pollfd ready{socket_, POLLOUT, 0};
        poll(&ready, 1, 100);
        continue;
      }
      curl_.reset();
      if (code == CURLE_AGAIN) return again(ErrorCode::timeout, "the receiver takes nothing");
      return curl_failed(code, "");
    }
    return 0;
  }

 private:
  Status connect() {
    curl_ = new_curl();
    if (!curl_) return again(ErrorCode::unavailable, "libcurl does not start");
    CURL* c = curl_.get();
    char reason[CURL_ERROR_SIZE] = "";
    set_bounds(c, config_, abandoned_, reason);
    const bool v6 = target_.host.find(':') != std::string::npos;
    const std::string url =
        fmt::format("{}://{}{}{}:{}/", target_.transport == ExportTarget::Transport::tls ? "https" : "http",
                    v6 ? "[" : "", target_.host, v6 ? "]" : "", target_.port);
    curl_easy_setopt(c, CURLOPT_URL, url.c_str());
    curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    const CURLcode code = curl_easy_perform(c);
    if (code == CURLE_OK && curl_easy_getinfo(c, CURLINFO_ACTIVESOCKET, &socket_) == CURLE_OK) return {};
    curl_.reset();
    return curl_failed(code, reason);
  }

  // A receiver that has gone away is noticed before a batch is written into the void, not after.
  bool ended_by_peer() {
    char byte[64];
    std::size_t got = 0;
    for (;;) {
      const CURLcode code = curl_easy_recv(curl_.get(), byte, sizeof byte, &got);
      if (code == CURLE_AGAIN) return false;
      if (code != CURLE_OK || got == 0) return true;
    }
  }

  const ExportTarget target_;
  const gateway::ExportConfig& config_;
  const std::function<bool()> abandoned_;
  CurlPtr curl_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;
};

class DatagramSender final : public ExportSender {
 public:
  explicit DatagramSender(const ExportTarget& target) : target_(target) {}
  ~DatagramSender() override { disconnect(); }

  Result<std::uint32_t> send(const ExportBatch& batch) override {
    if (fd_ < 0) {
      if (auto connected = connect(); !connected) return tl::unexpected(std::move(connected.error()));
    }
    std::uint32_t refused = 0;
    std::string_view rest = batch.body;
    while (!rest.empty()) {
      const std::string_view part = target_.protocol == ExportProtocol::syslog ? next_message(rest) : next_lines(rest);
      if (part.size() > kDatagramBytesMax) {
        ++refused;
        continue;
      }
      // What UDP tells here is that an earlier datagram found no one. This one may.
      for (int tries = 0; ::send(fd_, part.data(), part.size(), MSG_NOSIGNAL) < 0 && tries < 2; ++tries) {
        if (errno != ECONNREFUSED && errno != EINTR) {
          const std::string why = fail_errno("sending").value().message;
          disconnect();
          return again(ErrorCode::unavailable, why);
        }
      }
    }
    return refused;
  }

 private:
  // "LENGTH MESSAGE".
  static std::string_view next_message(std::string_view& rest) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const std::size_t head = static_cast<std::size_t>(end - rest.data()) + 1;
    if (error != std::errc() || head + length > rest.size()) return std::exchange(rest, {});
    const std::string_view message = rest.substr(head, length);
    rest.remove_prefix(head + length);
    return message;
  }
  static std::string_view next_lines(std::string_view& rest) {
    std::size_t end = rest.size();
    if (end > kStatsdBytesMax) {
      end = rest.rfind('\n', kStatsdBytesMax - 1);
      if (end == std::string_view::npos) end = std::min(rest.find('\n'), rest.size() - 1);
      ++end;
    }
    const std::string_view lines = rest.substr(0, end);
    rest.remove_prefix(end);
    return lines;
  }

  Status connect() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(target_.host.c_str(), std::to_string(target_.port).c_str(), &hints, &found);
    if (error != 0) return again(ErrorCode::unavailable, gai_strerror(error));
    for (const addrinfo* one = found; one != nullptr && fd_ < 0; one = one->ai_next) {
      fd_ = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
      if (fd_ >= 0 && ::connect(fd_, one->ai_addr, one->ai_addrlen) != 0) disconnect();
    }
    freeaddrinfo(found);
    if (fd_ < 0) return again(ErrorCode::unavailable, "no address can be reached");
    return {};
  }
  void disconnect() noexcept {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  const ExportTarget target_;
  int fd_ = -1;
};

}  // namespace

// https://www.elastic.co/guide/en/elasticsearch/reference/8.11/docs-bulk.html. 409: it has that document.
Result<std::uint32_t> read_bulk_answer(std::string_view body) {
  const Json answer = Json::parse(body, nullptr, false);
  if (!answer.is_object()) return again(ErrorCode::unavailable, "an answer that is no JSON object");
  if (!answer.value("errors", Json(true)).is_boolean() || !answer.value("errors", true)) return 0;
  std::uint32_t refused = 0;
  const auto items = answer.find("items");
  if (items == answer.end() || !items->is_array()) return again(ErrorCode::unavailable, "errors without items");
  for (const Json& item : *items) {
    const auto create = item.is_object() ? item.find("create") : item.end();
    if (!item.is_object() || create == item.end() || !create->is_object()) continue;
    const auto status = create->find("status");
    const int code = status != create->end() && status->is_number_integer() ? status->get<int>() : 0;
    if (code == 429 || code >= 500) return again(ErrorCode::unavailable, fmt::format("an item's status is {}", code));
    if (code / 100 != 2 && code != 409) ++refused;
  }
  return refused;
}

// A collector that rejects parts answers {"partialSuccess":{"rejectedSpans":"5",…}}; nothing else counts.
std::uint32_t read_otlp_answer(std::string_view body) {
  const Json answer = Json::parse(body, nullptr, false);
  const auto partial = answer.is_object() ? answer.find("partialSuccess") : answer.end();
  if (!answer.is_object() || partial == answer.end() || !partial->is_object()) return 0;
  for (const auto& [name, value] : partial->items()) {
    if (!name.starts_with("rejected")) continue;
    if (value.is_number_unsigned())
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(value.get<std::uint64_t>(), UINT32_MAX));
    if (!value.is_string()) continue;
    const auto& digits = value.get_ref<const std::string&>();
    std::uint32_t count = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), count);
    return count;
  }
  return 0;
}

std::unique_ptr<ExportSender> make_export_sender(const ExportTarget& target, const gateway::ExportConfig& config,
                                                 std::function<bool()> abandoned) {
  switch (target.transport) {
    case ExportTarget::Transport::http: return std::make_unique<HttpSender>(target, config, std::move(abandoned));
    case ExportTarget::Transport::udp: return std::make_unique<DatagramSender>(target);
    case ExportTarget::Transport::tcp:
    case ExportTarget::Transport::tls: return std::make_unique<StreamSender>(target, config, std::move(abandoned));
  }
  return nullptr;
}

}  // namespace gatehouse::app
