#include "gateway/sharing/counter_sharing.h"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "codec/base64.h"
#include "crypto/random.h"
#include "telemetry/log.h"

namespace gatehouse::gateway {
namespace {

using std::chrono::milliseconds;
using store::RedisValue;

constexpr std::size_t kNoticesAtOnce = 512;
constexpr std::size_t kHeardAtOnce = 1000;
constexpr std::string_view kHeardAtOnceText = "1000";
// What the streams hold at most. Bans: as many as a table; a gateway that joins reads them all.
constexpr std::string_view kBansKept = "65536", kFailuresKept = "16384";
constexpr milliseconds kFailuresRemembered = std::chrono::hours(1);
constexpr std::string_view kFailuresRememberedText = "3600000";
constexpr std::string_view kMemberText = "60000";  // milliseconds after which a silent gateway is none

std::string random_bytes_of(std::size_t size) {
  const SecretBytes drawn = crypto::random_secret(size);
  return std::string(drawn.expose());
}

bool is_text(const RedisValue& value) { return value.kind == RedisValue::Kind::text; }
bool is_array(const RedisValue& value) { return value.kind == RedisValue::Kind::array; }

}  // namespace

std::string_view CounterSharing::name_of(Failure failure) noexcept {
  switch (failure) {
    case Failure::unreachable: return "unreachable";
    case Failure::timeout: return "timeout";
    case Failure::refused: return "refused";
    case Failure::protocol: return "protocol";
    case Failure::tls: return "tls";
    case Failure::count_: break;
  }
  return "unreachable";
}

std::optional<CounterSharing::Position> CounterSharing::Position::parse(std::string_view text) {
  Position position;
  const char* const end = text.data() + text.size();
  const auto [dash, no_ms] = std::from_chars(text.data(), end, position.ms);
  if (no_ms != std::errc() || dash == end || *dash != '-') return std::nullopt;
  const auto [rest, no_sequence] = std::from_chars(dash + 1, end, position.sequence);
  if (no_sequence != std::errc() || rest != end) return std::nullopt;
  return position;
}

Result<std::unique_ptr<CounterSharing>> CounterSharing::create(SharingOptions options, SharedState& state,
                                                               const Clock& clock) {
  std::unique_ptr<CounterSharing> sharing(new CounterSharing(std::move(options), state, clock));
  auto loop = net::Loop::create(clock);
  if (!loop) return tl::unexpected(loop.error());
  sharing->loop_ = std::move(*loop);
  auto redis = store::RedisConnection::create(*sharing->loop_, sharing->options_.redis, *sharing);
  if (!redis) return tl::unexpected(std::move(redis.error()).while_("state.counters"));
  sharing->redis_ = std::move(*redis);
  state.desk().open();
  state.bans().on_change([&desk = state.desk()](const Ban& ban, bool lifted) {
    Notice notice;
    notice.kind = lifted ? Notice::Kind::unban : Notice::Kind::ban;
    notice.network = ban.network;
    notice.since = ban.since, notice.until = ban.until, notice.forget = ban.forget;
    notice.level = ban.level, notice.reason = ban.reason;
    desk.tell(std::move(notice));
  });
  return sharing;
}

CounterSharing::CounterSharing(SharingOptions options, SharedState& state, const Clock& clock)
    : options_(std::move(options)),
      prefix_(fmt::format("gatehouse:{{{}}}:", options_.deployment)),
      state_(state),
      clock_(clock),
      origin_(random_bytes_of(NoticeSeal::kOriginBytes)),
      agreed_(random_bytes_of(NoticeSeal::kAgreedBytes)),
      rates_(state.rate()) {}

CounterSharing::~CounterSharing() { stop(); }

void CounterSharing::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "gh-sharing");
    redis_->start();
    loop_->arm(tick_, options_.interval);
    loop_->run();
  });
}

void CounterSharing::stop() {
  if (!thread_.joinable()) return;
  state_.desk().set_sharing(false);
  loop_->stop();
  thread_.join();
}

CounterSharing::Status CounterSharing::status() const noexcept {
  Status status;
  status.up = up_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < failures_.size(); ++i) status.failures[i] = failures_[i].load(std::memory_order_relaxed);
  status.exchanges = exchanges_.load(std::memory_order_relaxed);
  status.rates_told = rates_told_.load(std::memory_order_relaxed);
  status.notices_told = notices_told_.load(std::memory_order_relaxed);
  status.notices_heard = notices_heard_.load(std::memory_order_relaxed);
  status.left_out = left_out_.load(std::memory_order_relaxed) + state_.desk().left_out();
  return status;
}

// Talking

void CounterSharing::ask(const std::vector<std::string_view>& words, Handle handle) {
  ++owed_;
  redis_->send(words, [this, handle = std::move(handle)](RedisValue&& value) {
    // Memory full, read only, still loading, a script it does not know: nothing that the next exchange would mend.
    if (value.is_error()) {
      return redis_->give_up({ErrorCode::denied, ErrorSource::upstream, Retry::no, value.text.substr(0, 200)});
    }
    if (!handle(value)) {
      return redis_->give_up(
          {ErrorCode::invalid, ErrorSource::upstream, Retry::no, "what answers is no Redis of ours"});
    }
    if (--owed_ == 0) all_answered();
  });
}

void CounterSharing::all_answered() {
  if (!greeted_) {
    greeted_ = true;
    state_.desk().set_sharing(true);
    return begin_exchange();
  }
  exchanges_.fetch_add(1, std::memory_order_relaxed);
  redis_->works();
  if (!up_.exchange(true, std::memory_order_relaxed)) {
    GH_LOG(info, "limits are shared with other gateways", {"redis", options_.redis.location.printable});
    told_ = true;
  }
  if (more_) loop_->arm(tick_, milliseconds(1));
}

void CounterSharing::on_redis_open() {
  owed_ = 0;
  greeted_ = more_ = false;
  ask({"SCRIPT", "LOAD", RateExchange::script()}, [this](const RedisValue& value) {
    script_ = value.text;
    return is_text(value);
  });
  ask_time();
  ask_who_we_are();
  ask({"XREVRANGE", key("bans"), "+", "-", "COUNT", "1"},
      [this](const RedisValue& value) { return learn_end_of_bans(value); });
}

void CounterSharing::ask_time() {
  ask({"TIME"}, [this](const RedisValue& value) {
    std::int64_t seconds = 0;
    if (!is_array(value) || value.items.size() != 2) return false;
    const std::string& text = value.items[0].text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || seconds <= 0 || seconds > 9'000'000'000) return false;
    server_ahead_ms_ = seconds * 1000 - clock_.now().time_since_epoch() / milliseconds(1);
    if (failures_at_ == Position()) {
      failures_at_.ms = static_cast<std::uint64_t>(seconds * 1000 - kFailuresRemembered.count());
    }
    return true;
  });
}

// Which key names are made under, and that we can write at all. Who finds none there puts its own: after a server lost
// its data all gateways bring the one that they agreed on.
void CounterSharing::ask_who_we_are() {
  ask({"SET", key("key"), codec::base64url_encode(agreed_.expose()), "NX"}, [this](const RedisValue& value) {
    if (!is_text(value)) return value.kind == RedisValue::Kind::nil;
    // Nothing is there, so nobody's bans are either.
    bans_at_ = failures_at_ = Position();
    for (const Ban& ban : state_.bans().remembered()) {
      Notice notice;
      notice.kind = Notice::Kind::ban;
      notice.network = ban.network;
      notice.since = ban.since, notice.until = ban.until, notice.forget = ban.forget;
      notice.level = ban.level, notice.reason = ban.reason;
      notice.again = true;
      if (!will_tell_of(ban.network)) queue_.push_back(std::move(notice));
    }
    return true;
  });
  ask({"GET", key("key")}, [this](const RedisValue& value) { return agree(value); });
  ask({"SET", key("member:") + codec::base64url_encode(origin_), "1", "PX", kMemberText}, is_text);
}

bool CounterSharing::agree(const RedisValue& value) {
  const auto agreed = is_text(value) ? codec::base64url_decode(value.text) : std::nullopt;
  if (!agreed || agreed->size() != NoticeSeal::kAgreedBytes) return false;
  if (seal_ && agreed_.expose() == *agreed) return true;
  agreed_ = SecretBytes(*agreed);
  seal_ = std::make_unique<NoticeSeal>(agreed_.expose(), options_.redis.password);
  rates_.clear();
  state_.set_names(seal_->names());
  return true;
}

// A stream that ends before what we have heard of it is another one: it is read from its beginning.
bool CounterSharing::learn_end_of_bans(const RedisValue& value) {
  if (!is_array(value)) return false;
  Position end;
  if (!value.items.empty()) {
    if (!is_array(value.items[0]) || value.items[0].items.size() != 2) return false;
    const auto position = Position::parse(value.items[0].items[0].text);
    if (!position) return false;
    end = *position;
  }
  if (end < bans_at_) bans_at_ = Position();
  return true;
}

void CounterSharing::on_redis_failure(const Error& error) {
  Failure failure = Failure::unreachable;
  if (error.code == ErrorCode::timeout) failure = Failure::timeout;
  if (error.code == ErrorCode::denied) failure = Failure::refused;
  if (error.code == ErrorCode::invalid) failure = Failure::protocol;
  if (error.code == ErrorCode::tls) failure = Failure::tls;
  failures_[static_cast<std::size_t>(failure)].fetch_add(1, std::memory_order_relaxed);
  state_.desk().set_sharing(false);
  owed_ = 0;
  greeted_ = more_ = false;
  rates_.clear();
  std::erase_if(queue_, [](const Notice& notice) {
    return notice.kind != Notice::Kind::ban && notice.kind != Notice::Kind::unban;
  });
  queue_.insert(queue_.begin(), std::make_move_iterator(underway_.begin()), std::make_move_iterator(underway_.end()));
  underway_.clear();
  // Once for each time that it goes, however often the next try fails.
  if (up_.exchange(false, std::memory_order_relaxed) || !told_) {
    GH_LOG(warn, "limits are this gateway's own: its Redis cannot be used",
           {"redis", options_.redis.location.printable}, {"why", error.message});
    told_ = true;
  }
}

void CounterSharing::on_timer(net::Timer&) {
  loop_->arm(tick_, options_.interval);
  take_from_desk();
  // One exchange at a time: a slow server gets larger ones, not more of them.
  if (greeted_ && owed_ == 0) begin_exchange();
}

void CounterSharing::take_from_desk() {
  const MonotonicTime now = clock_.now();
  state_.desk().take_uses([&](const RateUse& use) {
    if (greeted_ && !rates_.add(use, now)) left_out_.fetch_add(1, std::memory_order_relaxed);
  });
  for (Notice& notice : state_.desk().take_notices()) {
    const bool counted = notice.kind == Notice::Kind::failures || notice.kind == Notice::Kind::attacks;
    const auto same = counted ? std::find_if(queue_.begin(), queue_.end(),
                                             [&](const Notice& other) {
                                               return other.kind == notice.kind && other.key == notice.key &&
                                                      other.count < std::numeric_limits<std::uint32_t>::max();
                                             })
                              : queue_.end();
    if (same != queue_.end()) {
      ++same->count;
    } else if (queue_.size() < 2 * SharingDesk::kNoticesMax) {
      queue_.push_back(std::move(notice));
    } else {
      left_out_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

// One exchange

void CounterSharing::begin_exchange() {
  const MonotonicTime now = clock_.now();
  tell_rates();
  tell_notices();
  ask_for_notices();
  if (now < next_second_) return;
  next_second_ = now + std::chrono::seconds(1);
  rates_.sweep(now);
  ask_time();
  ask_who_we_are();
}

void CounterSharing::tell_rates() {
  for (std::size_t told = 0; told < RateExchange::kTellMax;) {
    RateExchange::Batch batch = rates_.take(std::min(RateExchange::kBatchMax, RateExchange::kTellMax - told));
    if (batch.empty()) return;
    told += batch.size();
    const auto words = RateExchange::words(batch, prefix_);
    std::vector<std::string_view> command{"EVALSHA", script_};
    command.insert(command.end(), words.begin(), words.end());
    rates_told_.fetch_add(batch.size(), std::memory_order_relaxed);
    ask(command, [this, batch = std::move(batch)](const RedisValue& value) {
      if (!is_array(value) || value.items.size() != batch.size()) return false;
      std::vector<std::int64_t> owed;
      owed.reserve(batch.size());
      for (const RedisValue& one : value.items) owed.push_back(one.integer);
      take_from_desk();  // what was admitted meanwhile comes on top
      rates_.heard(batch, owed, clock_.now());
      return true;
    });
  }
}

void CounterSharing::tell_notices() {
  bool failures = false;
  for (std::size_t told = 0; told < kNoticesAtOnce && !queue_.empty(); ++told) {
    Notice notice = std::move(queue_.front());
    queue_.pop_front();
    const bool ban = notice.kind == Notice::Kind::ban || notice.kind == Notice::Kind::unban;
    failures = failures || !ban;
    const std::string stream = key(ban ? "bans" : "failures");
    const std::string sealed = seal_->seal(to_text(notice), origin_, stream);
    ask({"XADD", stream, "MAXLEN", "~", ban ? kBansKept : kFailuresKept, "*", "from", origin_, "notice", sealed},
        [this, ban](const RedisValue& value) {
          if (ban && is_text(value)) underway_.pop_front();
          return is_text(value);
        });
    if (ban) underway_.push_back(std::move(notice));
    notices_told_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!failures) return;
  ask({"PEXPIRE", key("failures"), kFailuresRememberedText},
      [](const RedisValue& value) { return value.kind == RedisValue::Kind::integer; });
}

void CounterSharing::ask_for_notices() {
  more_ = false;
  ask({"XREAD", "COUNT", kHeardAtOnceText, "STREAMS", key("bans"), key("failures"), bans_at_.text(),
       failures_at_.text()},
      [this](const RedisValue& value) { return value.kind == RedisValue::Kind::nil || hear_streams(value); });
}

bool CounterSharing::hear_streams(const RedisValue& value) {
  if (!is_array(value)) return false;
  take_from_desk();
  for (const RedisValue& part : value.items) {
    if (!is_array(part) || part.items.size() != 2 || !is_array(part.items[1])) return false;
    const Stream stream = part.items[0].text == key("bans") ? Stream::bans : Stream::failures;
    for (const RedisValue& entry : part.items[1].items) {
      if (!hear_entry(stream, entry)) return false;
    }
    more_ = more_ || part.items[1].items.size() >= kHeardAtOnce;
  }
  return true;
}

bool CounterSharing::hear_entry(Stream stream, const RedisValue& entry) {
  if (!is_array(entry) || entry.items.size() != 2) return false;
  const auto at = Position::parse(entry.items[0].text);
  if (!at) return false;
  (stream == Stream::bans ? bans_at_ : failures_at_) = *at;
  const auto& fields = entry.items[1].items;
  // Somebody else's writing, or of a gateway that agreed on another key: nothing to us, and no reason to stop.
  if (fields.size() != 4) return true;
  const std::string& from = fields[1].text;
  const auto text = seal_->open(fields[3].text, from, key(stream == Stream::bans ? "bans" : "failures"));
  const auto notice = text ? read_notice(*text) : std::nullopt;
  if (!notice) return true;
  notices_heard_.fetch_add(1, std::memory_order_relaxed);
  apply(*notice, from == origin_, *at);
  return true;
}

bool CounterSharing::will_tell_of(const Network& network) const {
  return std::any_of(queue_.begin(), queue_.end(), [&](const Notice& notice) {
    return (notice.kind == Notice::Kind::ban || notice.kind == Notice::Kind::unban) && notice.network == network;
  });
}

bool CounterSharing::is_lifted(const Network& network) const {
  return std::find(lifted_.begin(), lifted_.end(), network) != lifted_.end();
}

void CounterSharing::apply(const Notice& notice, bool own, Position at) {
  const MonotonicTime now = clock_.now();
  switch (notice.kind) {
    // What we changed since comes behind it in the stream, and stands.
    case Notice::Kind::ban:
      // Who found nothing there tells of all that it remembers, and may not have heard of an end that was told
      // meanwhile.
      if (notice.again && is_lifted(notice.network)) return;
      if (!notice.again) std::erase(lifted_, notice.network);
      if (!will_tell_of(notice.network) && notice.forget > clock_.wall())
        state_.bans().restore({notice.network, notice.since, notice.until, notice.level, notice.reason, notice.forget});
      return;
    case Notice::Kind::unban:
      if (!is_lifted(notice.network)) lifted_.push_back(notice.network);
      if (lifted_.size() > kLiftedMax) lifted_.pop_front();
      std::erase_if(queue_, [&](const Notice& queued) { return queued.again && queued.network == notice.network; });
      if (!will_tell_of(notice.network)) state_.bans().forget(notice.network);
      return;
    default: break;
  }
  if (own) return;  // counted when it happened
  const std::int64_t age_ms =
      now.time_since_epoch() / milliseconds(1) + server_ahead_ms_ - static_cast<std::int64_t>(at.ms);
  const bool stale = milliseconds(age_ms) >= notice.window && notice.window > Duration(0);
  switch (notice.kind) {
    case Notice::Kind::failures:
      if (!stale) state_.penalties().add(notice.key, notice.window, notice.threshold, now, notice.count);
      return;
    case Notice::Kind::attacks:
      if (!stale)
        state_.count_attack(notice.key, notice.count, {notice.window, notice.threshold, notice.first, notice.longest},
                            notice.network.base, notice.reason);
      return;
    case Notice::Kind::forgiven: state_.penalties().forgive(notice.key, now); return;
    case Notice::Kind::login_failures:
    case Notice::Kind::login_forgotten:
      if (login_heard_ && milliseconds(age_ms) < std::chrono::minutes(15)) login_heard_(notice);
      return;
    case Notice::Kind::ban:
    case Notice::Kind::unban: return;
  }
}

}  // namespace gatehouse::gateway
