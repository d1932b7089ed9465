#pragma once
// A service that this process is itself: a route leads to it as to any other, and every layer decides before it and
// shapes what it answers; only nothing is forwarded.
//
//   exchange ── LocalCall ──> LocalService::answer ──> call.reply.send(answer)            at once, nothing is copied
//                                                 └──> std::move(call).keep() ─ worker ──> kept->reply().send(answer)
//
// Thread safety: `answer` is called by every shard, at the same time, and must not block. A reply may be sent from any
// thread, once; what is sent after the exchange has ended (the client left, the deadline passed) is dropped. A reply
// that is destroyed unsent answers 500.
// Lifetime: what a LocalRequest points to lives until `answer` returns. Whoever answers later keeps a copy.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gateway/request.h"

namespace gatehouse::gateway {

class Shard;

struct LocalRequest {
  std::string_view method;  // HEAD is answered as GET is; what the content is for is the exchange's affair
  std::string_view scheme, authority;
  std::string_view path;  // canonical, without what the route's rewrite takes off
  std::string_view query;
  std::string_view body;
  const http::Fields* fields = nullptr;  // canonical: without hop-by-hop fields and what only the gateway may say
  IpAddress client_ip;
  std::string_view request_id;
  WallTime now{};
  Principal principal;     // who asks, as far as the layers have proved it
  std::string_view route;  // its name
  // the connection
  bool tls = false;
  std::string_view certificate_sha256, certificate_subject;
  std::vector<std::string_view> certificate_sans;
};

struct LocalAnswer {
  static constexpr int kNone = 0;  // the reply was dropped
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // lower-case names; content-length is the exchange's
  // What the decision record and the penalties learn. `failed`: somebody gave credentials that were wrong; it counts
  // against his address, and not against the user, whom others could slow down otherwise.
  enum class Credentials : std::uint8_t { none, failed, accepted } credentials = Credentials::none;
  std::string user;    // whom the credentials proved
  std::string reason;  // a stable code for the record: "oauth.invalid_grant"; empty: nothing to say
};

// Where the replies of one shard go: outlives the shard, and knows when that is gone.
class ReplyDesk {
 public:
  explicit ReplyDesk(Shard& shard) noexcept : shard_(&shard) {}
  // Any thread.
  void post(std::uint32_t index, std::uint64_t generation, LocalAnswer answer);
  void close();  // the shard's last act

 private:
  std::mutex mutex_;
  Shard* shard_;
};

class LocalReply {
 public:
  LocalReply(std::shared_ptr<ReplyDesk> desk, std::uint32_t index, std::uint64_t generation) noexcept
      : desk_(std::move(desk)), generation_(generation), index_(index) {}
  LocalReply(LocalReply&&) noexcept = default;
  LocalReply& operator=(LocalReply&&) = delete;
  ~LocalReply() {
    if (desk_) send({.status = LocalAnswer::kNone, .body = {}, .fields = {}, .user = {}, .reason = {}});
  }
  // Once; a second answer has nobody to go to.
  void send(LocalAnswer answer);

 private:
  std::shared_ptr<ReplyDesk> desk_;  // null: sent, or moved from
  std::uint64_t generation_;
  std::uint32_t index_;
};

// A call that outlives `answer`: the request's views point into a copy of its own.
class KeptCall {
 public:
  KeptCall(const LocalRequest& request, LocalReply reply);
  KeptCall(const KeptCall&) = delete;
  KeptCall& operator=(const KeptCall&) = delete;
  const LocalRequest& request() const noexcept { return request_; }
  LocalReply& reply() noexcept { return reply_; }

 private:
  Arena arena_;
  http::Fields fields_;
  LocalRequest request_;
  LocalReply reply_;
};

struct LocalCall {
  const LocalRequest& request;
  LocalReply reply;
  std::unique_ptr<KeptCall> keep() && { return std::make_unique<KeptCall>(request, std::move(reply)); }
};

class LocalService {
 public:
  virtual ~LocalService() = default;
  virtual void answer(LocalCall call) = 0;
};

// Who answers for a configuration's local services. Outlives every snapshot that it was asked for.
using LocalServiceSource = std::function<Result<std::shared_ptr<LocalService>>(const Config&, LocalTarget)>;

// The exchange's side of a call that is being made on this thread: a reply within it is left here instead of posted.
class AnsweringNow {
 public:
  AnsweringNow(const ReplyDesk& desk, std::uint32_t index, std::uint64_t generation) noexcept;
  AnsweringNow(const AnsweringNow&) = delete;
  AnsweringNow& operator=(const AnsweringNow&) = delete;
  ~AnsweringNow();
  bool answered = false;
  LocalAnswer answer;

 private:
  friend class LocalReply;
  const ReplyDesk& desk_;
  const std::uint64_t generation_;
  AnsweringNow* const outer_;
  const std::uint32_t index_;
};

inline constexpr std::uint64_t kLocalBodyBytesMax = 256 * 1024;       // of a request to a local service
inline constexpr Duration kLocalDeadline = std::chrono::seconds(30);  // of a route without a timeout

}  // namespace gatehouse::gateway
