#include "gateway/proxy/mirror.h"

#include "base/arena.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {
namespace {

class Mirror final : public http::ClientStreamEvents, private net::Timer::Handler {
 public:
  Mirror(Shard& shard, std::shared_ptr<Cluster> cluster, Endpoint& endpoint, Admission admission)
      : shard_(shard), cluster_(std::move(cluster)), endpoint_(endpoint), admission_(std::move(admission)) {}

  bool send(crypto::TlsClientContext* tls, const http::RequestHead& head, std::string_view body) {
    bool reused = false;
    auto stream = shard_.pool().open(cluster_, endpoint_, tls, *this, reused);
    if (!stream) return false;
    stream_ = *stream;
    cluster_->attempt_begun(endpoint_);
    begun_ = true;
    stream_->send_head(head, body.empty() ? http::End::yes : http::End::no);
    if (!body.empty()) stream_->send_body(body, http::End::yes);
    shard_.loop().arm(timer_, cluster_->config().timeouts.response);
    return true;
  }
  ~Mirror() override {
    if (begun_) cluster_->attempt_ended(endpoint_, outcome_, shard_.loop().now());
  }

  void on_informational(const http::ResponseHead&) override {}
  void on_response(const http::ResponseHead& head, http::End end) override {
    outcome_ = head.status < 500 ? AttemptOutcome::success : AttemptOutcome::error;
    if (end == http::End::yes) over();
  }
  void on_body(std::string_view) override {}
  void on_response_end(const http::Fields&) override { over(); }
  void on_drained() override {}
  void on_failure(const http::Failure&) override {
    outcome_ = AttemptOutcome::error;
    over();
  }

 private:
  void on_timer(net::Timer&) override {
    stream_->abort();
    over();
  }
  void over() {
    timer_.cancel();
    shard_.loop().destroy_later(std::unique_ptr<Mirror>(this));
  }

  Shard& shard_;
  std::shared_ptr<Cluster> cluster_;
  Endpoint& endpoint_;
  Admission admission_;
  http::ClientStream* stream_ = nullptr;
  net::Timer timer_{*this};
  bool begun_ = false;
  AttemptOutcome outcome_ = AttemptOutcome::unknown;
};

}  // namespace

void send_mirror(Shard& shard, const std::shared_ptr<Cluster>& cluster, crypto::TlsClientContext* tls,
                 Endpoint& endpoint, const http::RequestHead& head, std::string_view body) {
  Admission admission = cluster->requests().admit();
  if (!admission) return;
  auto mirror = std::make_unique<Mirror>(shard, cluster, endpoint, std::move(admission));
  // From here it owns itself: an event ends it.
  if (mirror->send(tls, head, body)) static_cast<void>(mirror.release());
}

}  // namespace gatehouse::gateway
