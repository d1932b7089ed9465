#include "store/redis_connection.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/random.h"

namespace gatehouse::store {
namespace {

// Up to a quarter less, for the tries of many gateways that lost the same server at the same moment.
Duration spread(Duration whole) {
  std::array<std::uint8_t, 1> drawn;
  crypto::random_bytes(drawn);
  return whole - drawn[0] * (whole / 1024);
}

}  // namespace

Result<std::unique_ptr<RedisConnection>> RedisConnection::create(net::Loop& loop, RedisOptions options, Owner& owner) {
  std::shared_ptr<crypto::TlsClientContext> tls;
  if (options.location.tls) {
    crypto::TlsClientOptions wanted;
    wanted.ca_file = options.location.ca_file;
    auto context = crypto::TlsClientContext::create(wanted);
    if (!context) return tl::unexpected(std::move(context.error()).while_("TLS towards Redis"));
    tls = std::move(*context);
  }
  std::unique_ptr<RedisConnection> connection(new RedisConnection(loop, std::move(options), std::move(tls), owner));
  if (connection->options_.location.unix_path.empty()) {
    auto resolver = net::Resolver::create(loop, {});
    if (!resolver) return tl::unexpected(resolver.error());
    connection->resolver_ = std::move(*resolver);
  }
  return connection;
}

RedisConnection::RedisConnection(net::Loop& loop, RedisOptions options, std::shared_ptr<crypto::TlsClientContext> tls,
                                 Owner& owner)
    : loop_(loop), options_(std::move(options)), tls_(std::move(tls)), owner_(owner), backoff_(options_.backoff_min) {}

RedisConnection::~RedisConnection() { close(); }

void RedisConnection::start() {
  if (state_ != State::idle) return;
  loop_.arm(deadline_, options_.timeout);
  if (!resolver_) {
    auto address = net::SocketAddress::unix_path(options_.location.unix_path);
    if (!address) return fail_with(ErrorCode::invalid, address.error().message);
    return connect(*address);
  }
  state_ = State::resolving;
  ticket_ = resolver_->resolve(options_.location.host, [this](const Result<net::DnsAnswer>& answer) {
    if (state_ != State::resolving) return;
    if (!answer) return fail_with(ErrorCode::unavailable, answer.error().message);
    const auto& records = answer->records;
    connect(net::SocketAddress::tcp(records[address_turn_ % records.size()].ip, options_.location.port));
  });
}

void RedisConnection::connect(const net::SocketAddress& address) {
  auto fd = net::connect_start(address);
  if (!fd) return fail_with(ErrorCode::unavailable, fd.error().message);
  stream_ = net::Stream(std::move(*fd));
  if (tls_) stream_.start_tls(tls_->connect(stream_.fd(), options_.location.host));
  auto token = loop_.add(stream_.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, *this);
  if (!token) return fail_with(ErrorCode::internal, token.error().message);
  token_ = *token;
  state_ = State::connecting;
}

void RedisConnection::on_io(std::uint32_t events) {
  if (events & EPOLLIN) stream_.readable();
  if (events & EPOLLRDHUP) stream_.peer_closed();
  if (state_ == State::connecting) {
    if (const int error = net::connect_error(stream_.fd()); error != 0)
      return fail_with(ErrorCode::unavailable, fmt::format("connect: {}", std::strerror(error)));
    if (!(events & EPOLLOUT) && !stream_.is_tls()) return;
    if (stream_.is_tls()) {
      switch (stream_.tls()->handshake()) {
        case crypto::TlsStatus::ok: break;
        case crypto::TlsStatus::want_read:
        case crypto::TlsStatus::want_write: return;
        case crypto::TlsStatus::closed:
        case crypto::TlsStatus::error: return fail_with(ErrorCode::tls, "TLS: " + stream_.tls()->error());
      }
    }
    return greet();
  }
  if (state_ != State::greeting && state_ != State::open) return;
  const std::uint64_t generation = generation_;
  if (events & EPOLLOUT) flush();
  if (generation == generation_ && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) read_some();
}

void RedisConnection::greet() {
  state_ = State::greeting;
  reader_ = std::make_unique<RedisReader>();
  const RedisLocation& location = options_.location;
  // Errors of the server's are shown: they say what is wrong with the password, and hold nothing of it.
  const auto expect_ok = [this](std::string_view doing) {
    return [this, doing](RedisValue&& value) {
      if (value.is_error()) fail_with(ErrorCode::denied, fmt::format("{}: {}", doing, value.text.substr(0, 200)));
    };
  };
  if (!options_.password.empty()) {
    std::vector<std::string_view> words{"AUTH"};
    if (!location.username.empty()) words.push_back(location.username);
    words.push_back(options_.password.expose());
    send(words, expect_ok("AUTH"));
  }
  if (location.database != 0) send({"SELECT", std::to_string(location.database)}, expect_ok("SELECT"));
  send({"PING"}, [this](RedisValue&& value) {
    if (value.is_error()) return fail_with(ErrorCode::denied, fmt::format("PING: {}", value.text.substr(0, 200)));
    state_ = State::open;
    owner_.on_redis_open();
  });
  const std::uint64_t generation = generation_;
  flush();
  if (generation == generation_) read_some();  // a TLS handshake may have brought the first bytes along
}

void RedisConnection::send(const std::vector<std::string_view>& words, Answer answer) {
  append_redis_command(out_, words);
  if (owed_.empty()) loop_.arm(deadline_, options_.timeout);
  owed_.push_back(std::move(answer));
  loop_.defer(flush_);
}

void RedisConnection::flush() {
  if (state_ != State::greeting && state_ != State::open) return;
  while (out_from_ < out_.size()) {
    const iovec part{out_.data() + out_from_, out_.size() - out_from_};
    const net::IoResult sent = stream_.write({&part, 1});
    if (sent.status == net::IoStatus::error || sent.status == net::IoStatus::closed)
      return fail_with(ErrorCode::unavailable, "the connection broke");
    out_from_ += sent.bytes;
    if (sent.status == net::IoStatus::blocked || sent.bytes == 0) return;  // the next edge goes on
  }
  forget_output();
  const net::IoStatus status = stream_.flush();
  if (status == net::IoStatus::error || status == net::IoStatus::closed)
    fail_with(ErrorCode::unavailable, "the connection broke");
}

void RedisConnection::read_some() {
  const std::uint64_t generation = generation_;
  for (;;) {
    const auto into = loop_.scratch();
    const net::IoResult got = stream_.read(into);
    if (got.status == net::IoStatus::blocked) return;
    if (got.status != net::IoStatus::ok) return fail_with(ErrorCode::unavailable, "the server closed the connection");
    // The scratch buffer is free again in callbacks: the reader has copied it by then.
    const auto fed = reader_->feed({into.data(), got.bytes}, [&](RedisValue&& value) {
      take(std::move(value));
      return generation == generation_;
    });
    if (generation != generation_) return;
    if (!fed) return fail_with(ErrorCode::invalid, fed.error().message);
    if (got.drained) return;
  }
}

void RedisConnection::take(RedisValue&& value) {
  if (owed_.empty()) return fail_with(ErrorCode::invalid, "an answer that nothing was asked for");
  const Answer answer = std::move(owed_.front());
  owed_.pop_front();
  if (owed_.empty()) {
    deadline_.cancel();
  } else {
    loop_.arm(deadline_, options_.timeout);
  }
  answer(std::move(value));
}

void RedisConnection::on_timer(net::Timer& timer) {
  if (&timer == &retry_) return start();
  fail_with(ErrorCode::timeout, state_ == State::open ? "no answer in time" : "no connection in time");
}

void RedisConnection::give_up(Error error) { fail_with(error.code, std::move(error.message)); }

void RedisConnection::fail_with(ErrorCode code, std::string what) {
  close();
  ++address_turn_;
  loop_.arm(retry_, spread(backoff_));
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  owner_.on_redis_failure({code, ErrorSource::upstream, Retry::no, std::move(what)});
}

void RedisConnection::close() {
  ++generation_;
  state_ = State::idle;
  deadline_.cancel();
  retry_.cancel();
  if (resolver_ && ticket_ != 0) resolver_->cancel(std::exchange(ticket_, 0));
  if (token_.valid()) loop_.remove(token_, stream_.fd());
  stream_ = net::Stream();
  owed_.clear();
  forget_output();
}

// There was a password in it once.
void RedisConnection::forget_output() noexcept {
  ::explicit_bzero(out_.data(), out_.size());
  out_.clear();
  out_from_ = 0;
}

}  // namespace gatehouse::store
