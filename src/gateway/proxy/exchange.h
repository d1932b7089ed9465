#pragma once
// One request on its way through the gateway: canonical form, layers, route, upstream, response, record.
//
//   begin ─> canonicalise ─> route ─> layers ─> inspect ─┬─ deny, answer ───> respond ─┐
//                              (delay: parked)            └─ pass ─> attempt ⇄ retry ─> relay ─┴─> finish: record, log
//                              …
//     (inspecting until the body has come)   (queued while the service has all its connections in use)
//
// Where answers are inspected, `withheld` stands between waiting and relaying: nothing of the answer has gone to the
// client.
//
// One shard; owned and recycled by it. The two sides call in through `Downstream` and `Upstream`; either may end the
// exchange at any moment, and after `finish` neither stream is touched again.
// Invariant: whatever happens, every layer that decided gets its `on_end`, and one decision record is written.

#include <memory>
#include <string>

#include "base/arena.h"
#include "gateway/client_address.h"
#include "gateway/compression.h"
#include "gateway/layers/waf/message_gate.h"
#include "gateway/local_service.h"
#include "gateway/proxy/upstream_pool.h"
#include "gateway/request.h"
#include "gateway/server/snapshot.h"
#include "http/stream.h"
#include "http/websocket.h"
#include "net/loop.h"
#include "telemetry/trace.h"

namespace gatehouse::gateway {

class Shard;

class Exchange final : private net::Timer::Handler {
 public:
  explicit Exchange(Shard& shard);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void begin(http::ServerStream& stream, const http::RequestHead& head, http::End end);

  // A short record for what never became a request. Returns its id; the view lives until the next call.
  std::string_view refuse(const http::ConnectionInfo& connection, http::Reason reason,
                          const http::RequestHead* partial);

  // the shard's notes: where it is counted as in progress, and as a tunnel (0: it is none)
  std::uint32_t active_series = 0, tunnel_series = 0;
  std::uint32_t slot = 0;  // among the shard's exchanges

  // What a service of this process said, on the shard's thread; for another request than this one it is dropped.
  void local_answered(std::uint64_t generation, LocalAnswer answer);

 private:
  struct Downstream final : http::ServerStreamEvents {
    explicit Downstream(Exchange& exchange) : x(exchange) {}
    void on_body(std::string_view data) override { x.request_body(data); }
    void on_request_end(const http::Fields& trailers) override { x.request_end(trailers); }
    void on_drained() override { x.downstream_drained(); }
    void on_complete(std::uint64_t bytes_out) override { x.downstream_complete(bytes_out); }
    void on_abort(http::Reason reason) override { x.downstream_abort(reason); }
    void on_hangup() override { x.downstream_hangup(); }
    std::string_view request_id() const noexcept override { return x.record_.request_id; }
    Exchange& x;
  };
  struct Upstream final : http::ClientStreamEvents {
    explicit Upstream(Exchange& exchange) : x(exchange) {}
    void on_informational(const http::ResponseHead& head) override { x.informational(head); }
    void on_response(const http::ResponseHead& head, http::End end) override { x.response(head, end); }
    void on_body(std::string_view data) override { x.response_body(data); }
    void on_tunnel_end() override { x.tunnel_half_over(); }
    void on_response_end(const http::Fields& trailers) override { x.response_end(trailers); }
    void on_drained() override { x.upstream_drained(); }
    void on_failure(const http::Failure& failure) override { x.upstream_failed(failure); }
    Exchange& x;
  };
  struct Turn final : UpstreamPool::Waiter {
    explicit Turn(Exchange& exchange) : x(exchange) {}
    void on_turn(Endpoint* idle) override { x.turn_came(idle); }
    Exchange& x;
  };
  struct Messages final : MessageJudge {
    explicit Messages(Exchange& exchange) : x(exchange) {}
    std::uint16_t judge_message(std::string_view text, bool complete) override {
      return x.judge_message(text, complete);
    }
    std::uint16_t message_is_longer() override { return x.message_is_longer(); }
    std::uint16_t hold_message(std::size_t bytes) override {
      if (x.take_held(2 * bytes)) return 0;
      const std::uint16_t code = x.refuse_message(memory_taken(), kTryAgainLater);
      return code != 0 ? code : kPassOn;
    }
    void message_released() override { x.release_held(); }
    Exchange& x;
  };
  // inspecting: the body is collected for the WAF; queued: for one of the upstream's connections; waiting: for its
  // answer; collecting: the body, for a service of our own; serving: it is working; withheld: it is collected for the
  // WAF; ending: our half of the tunnel is closed, and the client has a moment to close its own
  enum class State : std::uint8_t {
    idle,
    deciding,
    parked,
    inspecting,
    queued,
    waiting,
    collecting,
    serving,
    withheld,
    relaying,
    tunnel,
    ending,
    answered
  };

  // exchange.cc: the request and its verdict
  void open_record(const http::ConnectionInfo& connection, const http::RequestHead& head);
  bool identify_client(const http::Fields& fields);
  void count_attack(const IpAddress& client, http::Reason reason);
  void run_layers();
  bool apply(const Layer& layer, std::uint64_t& ticks);
  void route_missing();
  void respond(int status, std::string_view reason, std::string_view challenge = {}, std::string_view allow = {},
               std::string_view location = {});
  void note(telemetry::Layer layer, Verdict verdict, std::string_view reason, std::string_view evidence);
  void request_body(std::string_view data);
  void request_end(const http::Fields& trailers);
  void on_timer(net::Timer& timer) override;

  // exchange_inspection.cc: what the WAF says
  enum class BodyIs : bool { cut, complete };
  void inspect();
  bool unrouted_may_pass();
  bool collected();
  void inspect_collected(BodyIs body_is);
  bool model_lets_pass(BodyIs body_is);
  Decision judge_by_model(BodyIs body_is);
  bool hold(std::uint64_t bytes);
  bool hold_just(std::uint64_t bytes) noexcept;
  void count_held() noexcept;
  bool take_held(std::uint64_t bytes) noexcept;
  std::uint64_t transaction_bytes() const noexcept;
  static WafDecision memory_taken() noexcept;
  void record_inspection(const WafDecision& decision);
  void conclude(const WafDecision& decision);
  void inspection_over() noexcept;
  void release_held() noexcept;
  void inspection_timer();
  bool keeps_transaction() const noexcept;

  // exchange_answer.cc: what the WAF says of the answer
  enum class AnswerIs : bool { withdrawn, relayed };
  void inspect_answer(const http::ResponseHead& head, http::End end);
  void withhold(const http::ResponseHead& head);
  void answer_collected(std::string_view data);
  AnswerIs answer_complete();
  AnswerIs inspect_collected_answer(BodyIs body_is);
  AnswerIs conclude_answer(const WafDecision& decision);
  bool begin_masking(const http::ResponseHead& head, http::End end);
  void shape_masked_head(http::ResponseHead& head) const;
  void remove_digests(http::Fields& fields) const;
  std::string_view mask_answer(std::string_view data, http::End end);
  void note_masked();
  void relay_coded(std::string_view data);
  bool relay_decoded();
  bool coded_may_end(const http::Fields& trailers);
  bool hold_decoder();
  bool decoding_failed(const WafDecision& decision);

  // exchange_messages.cc: what the WAF says of the client's messages in a tunnel
  std::uint16_t judge_message(std::string_view text, bool complete);
  std::uint16_t message_is_longer();
  std::uint16_t refuse_message(const WafDecision& decision, std::uint16_t close_code);
  void message_refused(std::uint16_t close_code, std::string_view ready);

  // exchange_upstream.cc: the attempts and the response
  void forward();
  void build_upstream_head();
  void attempt();
  void try_endpoints(Endpoint* idle);
  void queue_up();
  void arm_queue_timer();
  void turn_came(Endpoint* idle);
  void send_kept_body();
  void informational(const http::ResponseHead& head);
  void response(const http::ResponseHead& head, http::End end);
  void relay_head(const http::ResponseHead& head, http::End end);
  void take_answer(const http::ResponseHead& head, http::End end);
  void take_answer_body(std::string_view data);
  void take_answer_end(const http::Fields& trailers);
  void begin_relay(const http::ResponseHead& head, http::End end);
  void response_body(std::string_view data);
  void relay_body(std::string_view data);
  void send_answer_body(std::string_view data);
  void response_end(const http::Fields& trailers);
  void upstream_failed(const http::Failure& failure);
  bool may_retry(const http::Failure* failure, int status);
  std::uint64_t balance_hash() const;
  void attempt_over(AttemptOutcome outcome);
  void gateway_error(const http::Failure& failure);
  void upstream_drained();
  void downstream_drained();
  void attempt_refused(telemetry::Layer layer, int status, std::string_view reason);
  void arm_timer();
  void mirror();

  // exchange_local.cc: this process as the service
  void begin_local(LocalService& service);
  void local_body(std::string_view data);
  void local_body_too_large();
  void arm_local_timer();
  void local_timer();
  void call_local();
  void take_local_answer(LocalAnswer answer);

  // exchange_tunnel.cc
  bool prepare_tunnel();
  void shape_tunnel_head();
  void tunnel_half_over();
  void tunnel_over();
  void open_tunnel(const http::ResponseHead& head);
  void tunnel_data(std::string_view data);
  void tunnel_failed(std::uint16_t close_code);
  void close_towards_client(std::uint16_t close_code);
  bool upgrade_is_good(const http::ResponseHead& upstream, bool& deflate);

  // exchange_record.cc: the end
  void downstream_complete(std::uint64_t bytes_out);
  void downstream_abort(http::Reason reason);
  void downstream_hangup();
  void finish();
  void write_record();

  static constexpr std::size_t kReplayBytesMax = 64 * 1024;
  static constexpr std::size_t kQueuedBytesMax = 16 * 1024;
  static constexpr std::uint16_t kTryAgainLater = 1013;  // RFC 6455's registry

  Shard& shard_;
  Downstream downstream_{*this};
  Upstream upstream_{*this};
  Turn turn_{*this};
  net::Timer timer_{*this};
  std::shared_ptr<const Snapshot> snapshot_;
  Arena arena_{8192};
  telemetry::DecisionRecord record_;
  std::optional<Request> request_;
  telemetry::TraceContext trace_;

  http::ServerStream* down_ = nullptr;
  http::ClientStream* up_ = nullptr;
  State state_ = State::idle;
  std::uint64_t generation_ = 0;   // of requests that this object has served
  LocalService* local_ = nullptr;  // the snapshot's; null: a request for an upstream
  RouteMatch match_;
  std::size_t next_layer_ = 0;
  std::uint32_t binding_index_ = 0;  // the listener's index
  std::uint32_t decided_ = 0;        // bit i: snapshot layer i decided
  int status_sent_ = 0;
  std::string_view raw_target_;  // as it came
  WafInspection inspection_;
  std::uint64_t held_bytes_ = 0;  // counted in SharedState::inspected

  // the request's way up
  http::RequestHead upstream_head_;
  std::string body_;  // request content that waits for the upstream, or is kept for a retry
  bool request_ended_ = false, request_sent_ = false, replayable_ = true, body_paused_ = false, tunnel_wanted_ = false,
       extended_connect_ = false, mirror_wanted_ = false;
  bool trailers_unseen_ = false;                        // the verdict does not wait for them
  bool hung_up_ = false;                                // the client's end is behind content that we have not read
  bool client_ended_ = false, upstream_ended_ = false;  // which halves of the tunnel are closed
  http::Fields trailers_;

  // the attempt
  std::shared_ptr<Cluster> cluster_;
  Endpoint* endpoint_ = nullptr;
  Admission admission_;
  ClientAddress client_;
  std::uint32_t attempts_ = 0;
  std::vector<const Endpoint*> tried_;
  bool attempt_open_ = false, reused_ = false, response_begun_ = false, upstream_paused_ = false;
  MonotonicTime started_, queued_, attempt_started_, last_activity_, deadline_;
  std::uint64_t started_ticks_ = 0, own_ticks_ = 0, upstream_ns_ = 0;
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;

  // the response
  http::ResponseHead answer_head_;  // withheld; in the arena
  std::string answer_;              // what came of its body
  std::unique_ptr<AnswerMask> mask_;
  std::string masked_;
  std::unique_ptr<AnswerDecoder> decoder_;  // of an answer to mask that came compressed
  std::string decoded_;
  std::uint64_t decoder_held_ = 0;  // of held_bytes_
  bool answer_ended_ = false;       // all of it has come; the client has to take what there is before it gets more
  http::Fields answer_trailers_;    // then; in the arena
  std::unique_ptr<Encoder> encoder_;
  std::string encoded_;
  std::optional<http::WebSocketInspector> ws_up_, ws_down_;
  Messages messages_{*this};
  std::unique_ptr<MessageGate> gate_;  // null: messages are not inspected
  std::uint32_t messages_refused_ = 0;
  bool message_closes_ = false;  // the rules have closed the tunnel
};

}  // namespace gatehouse::gateway
