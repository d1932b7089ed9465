#include "net/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "net/socket.h"

namespace gatehouse::net {
namespace {

constexpr Duration kForever = std::chrono::hours(24 * 365);  // of an address that stands for itself
constexpr std::size_t kTargetsMax = 64;                      // of an SRV answer

// "Does not exist" is an answer; everything else that is no success is a failure to get one.
bool is_gone(int status) noexcept { return status == ARES_ENOTFOUND || status == ARES_ENODATA; }

Error error_of(const std::string& name, int status) {
  return Error{is_gone(status)           ? ErrorCode::not_found
               : status == ARES_ETIMEOUT ? ErrorCode::timeout
               : status == ARES_EBADNAME ? ErrorCode::invalid
                                         : ErrorCode::unavailable,
               ErrorSource::system, Retry::safe, fmt::format("resolving {}: {}", name, ares_strerror(status))};
}

IpAddress ip_of(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET) {
    return IpAddress::v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  }
  IpAddress ip;
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  std::copy(std::begin(in6.s6_addr), std::end(in6.s6_addr), ip.bytes.begin());
  return ip;
}

// Whether packets to it could leave this host: connecting a datagram socket looks the route up and sends nothing.
bool has_route(const IpAddress& ip) noexcept {
  const SocketAddress address = SocketAddress::tcp(ip, 53);
  const Fd fd(::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0;
}

// Dense: 0, 1, 2 … in the order of what they were.
void rank_densely(std::vector<DnsRecord>& records) {
  std::vector<std::uint32_t> ranks;
  for (const DnsRecord& record : records) ranks.push_back(record.rank);
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  for (DnsRecord& record : records) {
    record.rank = static_cast<std::uint32_t>(std::lower_bound(ranks.begin(), ranks.end(), record.rank) - ranks.begin());
  }
}

// The smallest TTL among an answer's records, which c-ares does not tell for SRV. RFC 1035 §4.1; zero when malformed.
std::uint32_t smallest_ttl(const unsigned char* message, int length) {
  if (length < NS_HFIXEDSZ) return 0;
  const auto u16 = [&](int at) { return static_cast<unsigned>(message[at] << 8 | message[at + 1]); };
  const unsigned questions = u16(4), answers = u16(6);
  int at = NS_HFIXEDSZ;
  const auto skip_name = [&] {
    char* name = nullptr;
    long encoded = 0;
    if (at >= length || ares_expand_name(message + at, message, length, &name, &encoded) != ARES_SUCCESS) return false;
    ares_free_string(name);
    at += static_cast<int>(encoded);
    return true;
  };
  for (unsigned i = 0; i < questions; ++i) {
    if (!skip_name()) return 0;
    at += NS_QFIXEDSZ;
  }
  std::uint32_t smallest = UINT32_MAX;
  for (unsigned i = 0; i < answers; ++i) {
    if (!skip_name() || at + NS_RRFIXEDSZ > length) return 0;
    smallest = std::min(smallest, static_cast<std::uint32_t>(u16(at + 4)) << 16 | u16(at + 6));
    at += NS_RRFIXEDSZ + static_cast<int>(u16(at + 8));
  }
  return answers == 0 ? 0 : smallest;
}

class AresResolver final : public Resolver, private Timer::Handler, private Deferred {
 public:
  AresResolver(Loop& loop, const ResolverOptions& options) : loop_(loop), options_(options) {}
  AresResolver(const AresResolver&) = delete;
  AresResolver& operator=(const AresResolver&) = delete;
  ~AresResolver() override;

  Status open();
  Ticket resolve(const std::string& name, Callback callback) override {
    return ask({name, false}, std::move(callback));
  }
  Ticket resolve_service(const std::string& name, Callback callback) override {
    return ask({name, true}, std::move(callback));
  }
  void cancel(Ticket ticket) override;

 private:
  struct Key {
    std::string name;
    bool service = false;
    auto operator<=>(const Key&) const = default;
  };
  struct Waiter {
    Ticket ticket;
    Callback callback;
  };
  struct Entry {
    std::vector<DnsRecord> good;  // the last good answer; empty: never, or given up
    MonotonicTime expires{};      // of `good`, or of the failure
    MonotonicTime gone_since{};   // of a good answer that the servers say is gone; zero: not
    std::optional<Error> error;   // of the last question, if it failed
    bool asking = false;
    std::vector<Waiter> waiters;
    // an SRV answer whose targets are being resolved
    std::vector<DnsRecord> gathered;
    Duration gathered_ttl{};
    std::size_t targets_left = 0;
    std::optional<Error> target_error;
  };
  struct Question {  // what a c-ares callback is given
    AresResolver& resolver;
    Key key;
  };
  struct Watch final : IoHandler {
    explicit Watch(AresResolver& r, int s) : resolver(r), fd(s) {}
    void on_io(std::uint32_t events) override { resolver.on_socket(fd, events); }
    AresResolver& resolver;
    int fd;
    std::uint32_t interest = 0;
    IoToken token;
  };

  Ticket ask(Key key, Callback callback);
  void query(const Key& key);
  static void on_addresses(void* argument, int status, int timeouts, ares_addrinfo* result);
  static void on_service(void* argument, int status, int timeouts, unsigned char* message, int length);
  static void on_socket_state(void* self, ares_socket_t fd, int readable, int writable);
  void take_addresses(const Key& key, int status, const ares_addrinfo* result);
  void take_service(const Key& key, int status, const unsigned char* message, int length);
  void take_target(const Key& key, const ares_srv_reply& target, const Result<DnsAnswer>& answer);
  void succeed(const Key& key, std::vector<DnsRecord> records, Duration ttl);
  void failed(const Key& key, Error error);
  void complete(const Key& key);
  Result<DnsAnswer> answer_of(const Entry& entry) const;
  bool make_room();
  void on_socket(int fd, std::uint32_t events);
  void on_timer(Timer&) override { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }
  void process(ares_socket_t readable, ares_socket_t writable);
  void run_deferred() override;

  Loop& loop_;
  const ResolverOptions options_;
  ares_channel channel_ = nullptr;
  Timer timer_{*this};
  std::map<int, std::unique_ptr<Watch>> watches_;
  std::map<Key, Entry> entries_;
  std::vector<Key> ready_;                                       // entries whose waiters are to be told
  std::vector<std::pair<Waiter, Result<DnsAnswer>>> immediate_;  // what needs no entry
  Ticket last_ticket_ = 0;
  bool closing_ = false;
};

AresResolver::~AresResolver() {
  closing_ = true;
  if (channel_ != nullptr) ares_destroy(channel_);
  for (auto& [fd, watch] : watches_) loop_.remove(watch->token, fd);
}

Status AresResolver::open() {
  static std::once_flag once;
  static int initialized = ARES_SUCCESS;
  std::call_once(once, [] { initialized = ares_library_init(ARES_LIB_INIT_ALL); });
  if (initialized != ARES_SUCCESS) return fail(ErrorCode::internal, ares_strerror(initialized));
  ares_options options{};
  options.timeout = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(options_.timeout).count());
  options.tries = options_.tries;
  options.sock_state_cb = &AresResolver::on_socket_state;
  options.sock_state_cb_data = this;
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  std::string only_dns = "b";
  if (!options_.servers.empty()) {
    options.lookups = only_dns.data();
    mask |= ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS;
  }
  int status = ares_init_options(&channel_, &options, mask);
  if (status == ARES_SUCCESS && !options_.servers.empty()) {
    status = ares_set_servers_ports_csv(channel_, options_.servers.c_str());
  }
  if (status != ARES_SUCCESS) {
    return fail(ErrorCode::invalid, fmt::format("resolver: {}", ares_strerror(status)), ErrorSource::system);
  }
  return {};
}

Resolver::Ticket AresResolver::ask(Key key, Callback callback) {
  Waiter waiter{++last_ticket_, std::move(callback)};
  const Ticket ticket = waiter.ticket;
  if (const auto literal = IpAddress::parse(key.name); literal && !key.service) {
    immediate_.emplace_back(std::move(waiter), DnsAnswer{{{*literal}}, kForever, false});
    loop_.defer(*this);
    return ticket;
  }
  auto at = entries_.find(key);
  if (at == entries_.end()) {
    if (entries_.size() >= kEntriesMax && !make_room()) {
      immediate_.emplace_back(std::move(waiter), fail(ErrorCode::exhausted, "resolver: too many names"));
      loop_.defer(*this);
      return ticket;
    }
    at = entries_.try_emplace(key).first;
  }
  Entry& entry = at->second;
  entry.waiters.push_back(std::move(waiter));
  if (entry.asking) return ticket;
  const bool known = !entry.good.empty() || entry.error;
  if (known && loop_.now() < entry.expires) {
    ready_.push_back(key);
    loop_.defer(*this);
  } else {
    entry.asking = true;
    query(key);
  }
  return ticket;
}

// Forgets a name that nobody waits for and whose answer has run out.
bool AresResolver::make_room() {
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->second.asking || !at->second.waiters.empty() || loop_.now() < at->second.expires) continue;
    entries_.erase(at);
    return true;
  }
  return false;
}

void AresResolver::cancel(Ticket ticket) {
  const auto is_it = [&](const Waiter& waiter) { return waiter.ticket == ticket; };
  for (auto& [key, entry] : entries_) std::erase_if(entry.waiters, is_it);
  std::erase_if(immediate_, [&](const auto& pair) { return is_it(pair.first); });
}

void AresResolver::query(const Key& key) {
  // Freed by the callback, which c-ares calls exactly once.
  auto question = std::make_unique<Question>(Question{*this, key});
  if (key.service) {
    ares_search(channel_, key.name.c_str(), ns_c_in, ns_t_srv, &AresResolver::on_service, question.release());
  } else {
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(channel_, key.name.c_str(), nullptr, &hints, &AresResolver::on_addresses, question.release());
  }
  process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void AresResolver::on_addresses(void* argument, int status, int /*timeouts*/, ares_addrinfo* result) {
  const std::unique_ptr<Question> question(static_cast<Question*>(argument));
  if (!question->resolver.closing_) question->resolver.take_addresses(question->key, status, result);
  if (result != nullptr) ares_freeaddrinfo(result);
}

void AresResolver::on_service(void* argument, int status, int /*timeouts*/, unsigned char* message, int length) {
  const std::unique_ptr<Question> question(static_cast<Question*>(argument));
  if (!question->resolver.closing_) question->resolver.take_service(question->key, status, message, length);
}

void AresResolver::take_addresses(const Key& key, int status, const ares_addrinfo* result) {
  if (status != ARES_SUCCESS) return failed(key, error_of(key.name, status));
  std::vector<DnsRecord> v4, v6;
  Duration ttl = options_.ttl_max;
  for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
    auto& list = node->ai_family == AF_INET ? v4 : v6;
    if (list.size() < kRecordsMax) list.push_back({ip_of(*node->ai_addr)});
    ttl = std::min<Duration>(ttl, std::chrono::seconds(node->ai_ttl));
  }
  if (!v4.empty() && !v6.empty()) {
    const auto reaches = [&](const IpAddress& ip) {
      return options_.has_route ? options_.has_route(ip) : has_route(ip);
    };
    const bool by_v4 = reaches(v4.front().ip), by_v6 = reaches(v6.front().ip);
    if (by_v4 && !by_v6) v6.clear();
    if (by_v6 && !by_v4) v4.clear();
  }
  if (!v4.empty()) {
    for (DnsRecord& record : v6) record.rank = 1;
  }
  v4.insert(v4.end(), v6.begin(), v6.end());
  succeed(key, std::move(v4), ttl);
}

void AresResolver::take_service(const Key& key, int status, const unsigned char* message, int length) {
  ares_srv_reply* reply = nullptr;
  if (status == ARES_SUCCESS) status = ares_parse_srv_reply(message, length, &reply);
  if (status != ARES_SUCCESS) return failed(key, error_of(key.name, status));
  const std::unique_ptr<ares_srv_reply, void (*)(ares_srv_reply*)> owned(
      reply, [](ares_srv_reply* list) { ares_free_data(list); });
  std::vector<const ares_srv_reply*> targets;
  for (const ares_srv_reply* target = reply; target != nullptr; target = target->next) {
    const std::string_view host = target->host;
    if (!host.empty() && host != ".") targets.push_back(target);  // ".": the service is not offered here
  }
  // Where there are too many, those of the best priorities stay.
  std::stable_sort(targets.begin(), targets.end(), [](auto* a, auto* b) { return a->priority < b->priority; });
  if (targets.size() > kTargetsMax) targets.resize(kTargetsMax);
  Entry& entry = entries_[key];
  entry.gathered.clear();
  entry.gathered_ttl = std::chrono::seconds(smallest_ttl(message, length));
  entry.target_error.reset();
  entry.targets_left = 1;  // ours, so that it does not reach zero before all have been asked for
  for (const ares_srv_reply* target : targets) {
    ++entry.targets_left;
    ares_srv_reply copy = *target;
    copy.next = nullptr;
    copy.host = nullptr;
    ask({target->host, false}, [this, key, copy](const Result<DnsAnswer>& answer) { take_target(key, copy, answer); });
  }
  take_target(key, {}, fail(ErrorCode::not_found, fmt::format("resolving {}: not offered", key.name)));
}

void AresResolver::take_target(const Key& key, const ares_srv_reply& target, const Result<DnsAnswer>& answer) {
  Entry& entry = entries_[key];
  if (answer) {
    for (const DnsRecord& record : answer->records) {
      if (entry.gathered.size() == kRecordsMax) break;
      entry.gathered.push_back({record.ip, target.port, std::max<std::uint32_t>(1, target.weight),
                                std::uint32_t{target.priority} * 2 + record.rank});
    }
    entry.gathered_ttl = std::min(entry.gathered_ttl, answer->ttl);
  } else if (!entry.target_error || entry.target_error->code == ErrorCode::not_found) {
    entry.target_error = answer.error();
  }
  if (--entry.targets_left != 0) return;
  // Targets that could not be resolved are left out while there are others.
  if (entry.gathered.empty()) return failed(key, *entry.target_error);
  succeed(key, std::move(entry.gathered), entry.gathered_ttl);
}

void AresResolver::succeed(const Key& key, std::vector<DnsRecord> records, Duration ttl) {
  if (records.empty()) return failed(key, error_of(key.name, ARES_ENODATA));
  rank_densely(records);
  std::sort(records.begin(), records.end(),
            [](const DnsRecord& a, const DnsRecord& b) { return std::tie(a.ip, a.port) < std::tie(b.ip, b.port); });
  Entry& entry = entries_[key];
  entry.good = std::move(records);
  entry.error.reset();
  entry.gone_since = {};
  entry.expires = loop_.now() + std::clamp(ttl, options_.ttl_min, options_.ttl_max);
  complete(key);
}

void AresResolver::failed(const Key& key, Error error) {
  Entry& entry = entries_[key];
  if (error.code == ErrorCode::not_found) {
    if (entry.gone_since == MonotonicTime{}) entry.gone_since = loop_.now();
    if (loop_.now() - entry.gone_since >= options_.gone_hold) entry.good.clear();
  }
  entry.error = std::move(error);
  entry.expires = loop_.now() + options_.negative_ttl;
  complete(key);
}

void AresResolver::complete(const Key& key) {
  entries_[key].asking = false;
  ready_.push_back(key);
  loop_.defer(*this);
}

Result<DnsAnswer> AresResolver::answer_of(const Entry& entry) const {
  if (entry.good.empty()) return tl::unexpected(*entry.error);
  return DnsAnswer{entry.good, std::max<Duration>(Duration::zero(), entry.expires - loop_.now()),
                   entry.error.has_value()};
}

void AresResolver::run_deferred() {
  const auto immediate = std::exchange(immediate_, {});
  for (const auto& [waiter, answer] : immediate) waiter.callback(answer);
  const auto ready = std::exchange(ready_, {});
  for (const Key& key : ready) {
    // One at a time and looked up each time: a callback may cancel another, ask again, or make an entry go.
    for (auto at = entries_.find(key); at != entries_.end(); at = entries_.find(key)) {
      Entry& entry = at->second;
      if (entry.asking || entry.waiters.empty()) break;
      const Waiter waiter = std::move(entry.waiters.front());
      entry.waiters.erase(entry.waiters.begin());
      waiter.callback(answer_of(entry));
    }
  }
}

void AresResolver::on_socket_state(void* self, ares_socket_t fd, int readable, int writable) {
  AresResolver& resolver = *static_cast<AresResolver*>(self);
  const std::uint32_t interest = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  const auto at = resolver.watches_.find(fd);
  if (interest == 0) {
    if (at == resolver.watches_.end()) return;
    resolver.loop_.remove(at->second->token, fd);
    // Its own event may be on the stack.
    resolver.loop_.destroy_later(std::move(at->second));
    resolver.watches_.erase(at);
    return;
  }
  if (at != resolver.watches_.end()) {
    at->second->interest = interest;
    resolver.loop_.modify(at->second->token, fd, interest);
    return;
  }
  auto watch = std::make_unique<Watch>(resolver, fd);
  watch->interest = interest;
  if (const auto token = resolver.loop_.add(fd, interest, *watch)) {
    watch->token = *token;
    resolver.watches_.emplace(fd, std::move(watch));
  }  // else the try runs into its timeout
}

void AresResolver::on_socket(int fd, std::uint32_t events) {
  const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
  process((events & EPOLLIN) != 0 || failed ? fd : ARES_SOCKET_BAD, (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
  // c-ares need not have read all there was, and edges come once: asking again tells what is still ready.
  if (const auto at = watches_.find(fd); at != watches_.end())
    loop_.modify(at->second->token, fd, at->second->interest);
}

void AresResolver::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel_, readable, writable);
  timeval wait{};
  if (const timeval* next = ares_timeout(channel_, nullptr, &wait)) {
    loop_.arm(timer_, std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec));
  } else {
    timer_.cancel();
  }
}

}  // namespace

Result<std::unique_ptr<Resolver>> Resolver::create(Loop& loop, const ResolverOptions& options) {
  auto resolver = std::make_unique<AresResolver>(loop, options);
  if (const Status opened = resolver->open(); !opened) return tl::unexpected(opened.error());
  return resolver;
}

}  // namespace gatehouse::net
