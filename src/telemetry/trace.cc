#include "telemetry/trace.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace gatehouse::telemetry {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kCrockford = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kStateMembersMax = 32;
constexpr std::size_t kStateBytesMax = 512;

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_lower_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return hex_value(c) >= 0; });
}

bool is_zero(std::string_view text) noexcept { return text.find_first_not_of('0') == std::string_view::npos; }

// Eight hexadecimal digits of a word at once: its nibbles spread over bytes, and each byte turned into its digit.
std::uint64_t hex_digits(std::uint32_t value) noexcept {
  std::uint64_t nibbles = value;
  nibbles = (nibbles | nibbles << 16) & 0x0000ffff0000ffff;
  nibbles = (nibbles | nibbles << 8) & 0x00ff00ff00ff00ff;
  nibbles = (nibbles | nibbles << 4) & 0x0f0f0f0f0f0f0f0f;
  const std::uint64_t letters = (nibbles + 0x0606060606060606) >> 4 & 0x0101010101010101;  // 10 and above
  return nibbles + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

void put_hex(char* to, std::uint64_t value) noexcept {
  std::uint64_t high = hex_digits(static_cast<std::uint32_t>(value >> 32));
  std::uint64_t low = hex_digits(static_cast<std::uint32_t>(value));
  if constexpr (std::endian::native == std::endian::little) {
    high = __builtin_bswap64(high);  // the first digit is the highest
    low = __builtin_bswap64(low);
  }
  std::memcpy(to, &high, 8);
  std::memcpy(to + 8, &low, 8);
}

bool is_key_char(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/';
}

// §3.3.2.1 and §3.3.2.2: `tenant@system=opaque`, printable ASCII without ',' and '='.
bool is_state_member(std::string_view member) noexcept {
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = member.substr(0, equals), value = member.substr(equals + 1);
  const std::size_t at = key.find('@');
  if (at == std::string_view::npos) {
    if (key.empty() || key.size() > 256 || key[0] < 'a' || key[0] > 'z') return false;
    if (!std::all_of(key.begin(), key.end(), is_key_char)) return false;
  } else {
    const std::string_view tenant = key.substr(0, at), system = key.substr(at + 1);
    if (tenant.empty() || tenant.size() > 241 || system.empty() || system.size() > 14) return false;
    if (!std::all_of(tenant.begin(), tenant.end(), is_key_char) || tenant[0] < '0') return false;
    if (!std::all_of(system.begin(), system.end(), is_key_char) || system[0] < 'a') return false;
  }
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view value) noexcept {
  if (value.size() < kTraceParentBytes) return std::nullopt;
  const std::string_view version = value.substr(0, 2), trace = value.substr(3, 32), span = value.substr(36, 16),
                         flags = value.substr(53, 2);
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(span) || !is_lower_hex(flags))
    return std::nullopt;
  if (version == "ff" || is_zero(trace) || is_zero(span)) return std::nullopt;
  if (value.size() > kTraceParentBytes && (version == "00" || value[kTraceParentBytes] != '-')) return std::nullopt;
  TraceParent parent;
  std::memcpy(parent.trace_id.data(), trace.data(), trace.size());
  std::memcpy(parent.span_id.data(), span.data(), span.size());
  parent.flags = static_cast<std::uint8_t>(hex_value(flags[0]) * 16 + hex_value(flags[1]));
  return parent;
}

bool is_tracestate(std::string_view value) noexcept {
  if (value.empty() || value.size() > kStateBytesMax) return false;
  std::array<std::string_view, kStateMembersMax> keys;
  std::size_t count = 0;
  for (bool more = true; more;) {
    const std::size_t comma = value.find(',');
    more = comma != std::string_view::npos;
    const std::string_view member = trimmed(value.substr(0, comma));
    if (more) value.remove_prefix(comma + 1);
    if (member.empty()) continue;  // §3.3.1.1 allows empty members
    if (count == keys.size() || !is_state_member(member)) return false;
    const std::string_view key = member.substr(0, member.find('='));
    if (std::find(keys.begin(), keys.begin() + count, key) != keys.begin() + count) return false;
    keys[count++] = key;
  }
  return count > 0;
}

std::array<char, kTraceParentBytes> TraceContext::traceparent() const noexcept {
  std::array<char, kTraceParentBytes> text;
  std::memcpy(text.data(), "00-", 3);
  std::memcpy(text.data() + 3, trace_id.data(), 32);
  text[35] = '-';
  std::memcpy(text.data() + 36, span_id.data(), 16);
  text[52] = '-';
  text[53] = kHex[flags >> 4];
  text[54] = kHex[flags & 15];
  return text;
}

Result<IdGenerator> IdGenerator::create() {
  std::array<std::uint64_t, 4> seed;
  std::size_t have = 0;
  while (have < sizeof seed) {
    const ssize_t got = getrandom(reinterpret_cast<char*>(seed.data()) + have, sizeof seed - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("seeding the request ids");
    have += static_cast<std::size_t>(got);
  }
  return IdGenerator(seed);
}

IdGenerator::IdGenerator(const std::array<std::uint64_t, 4>& seed) noexcept : state_(seed) {
  if (std::all_of(state_.begin(), state_.end(), [](std::uint64_t word) { return word == 0; })) state_[0] = 1;
}

// xoshiro256++ (Blackman and Vigna): an id has to be unique, not secret, and the kernel's generator costs a system
// call.
std::uint64_t IdGenerator::next() noexcept {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

RequestId IdGenerator::request_id(WallTime now) noexcept {
  RequestId id;
  auto ms =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  for (int i = 9; i >= 0; --i, ms >>= 5) id[i] = kCrockford[ms & 31];
  std::uint64_t high = next(), low = next();
  for (int i = 10; i < 18; ++i, high >>= 5) id[i] = kCrockford[high & 31];
  for (int i = 18; i < 26; ++i, low >>= 5) id[i] = kCrockford[low & 31];
  return id;
}

SpanId IdGenerator::span_id() noexcept {
  SpanId id;
  std::uint64_t value = next();
  while (value == 0) value = next();
  put_hex(id.data(), value);
  return id;
}

TraceContext IdGenerator::begin(std::string_view traceparent, std::string_view tracestate, bool trust_peer) noexcept {
  TraceContext context;
  context.span_id = span_id();
  const std::optional<TraceParent> inbound = parse_traceparent(traceparent);
  if (inbound && trust_peer) {
    context.parent = inbound;
    context.trace_id = inbound->trace_id;
    context.flags = inbound->flags & 1;
    if (is_tracestate(tracestate)) context.tracestate = tracestate;
    return context;
  }
  context.link = inbound;
  const SpanId high = span_id(), low = span_id();
  std::memcpy(context.trace_id.data(), high.data(), 16);
  std::memcpy(context.trace_id.data() + 16, low.data(), 16);
  return context;
}

SpanId span_of_request(std::string_view request_id) noexcept {
  std::uint64_t value = 0;
  for (const char c : request_id.substr(request_id.size() - std::min<std::size_t>(request_id.size(), 13))) {
    value = value << 5 | (kCrockford.find(c) & 31);
  }
  SpanId id;
  put_hex(id.data(), value == 0 ? 1 : value);
  return id;
}

bool is_request_id(std::string_view text) noexcept {
  return text.size() == std::tuple_size_v<RequestId> &&
         std::all_of(text.begin(), text.end(), [](char c) { return kCrockford.find(c) != std::string_view::npos; });
}

}  // namespace gatehouse::telemetry
