// libinjection, which libmodsecurity carries and exports without a header. Its functions take any bytes and look at no
// byte behind the last (the fuzzer puts values at the end of a page).
//
// What costs is its look-up of words: a binary search with fourteen comparisons, for each word and each sign, in up to
// five readings of the value. It lets its caller put another in its place; ours remembers what its own has said.

#include <algorithm>
#include <cstring>

#include "waf/operator/injection.h"

extern "C" {
struct libinjection_sqli_state;
using SqliLookup = char (*)(libinjection_sqli_state* state, int type, const char* word, std::size_t size);
void libinjection_sqli_init(libinjection_sqli_state* state, const char* input, std::size_t size, int flags);
void libinjection_sqli_callback(libinjection_sqli_state* state, SqliLookup lookup, void* context);
int libinjection_is_sqli(libinjection_sqli_state* state);
char libinjection_sqli_lookup_word(libinjection_sqli_state* state, int type, const char* word, std::size_t size);
int libinjection_xss(const char* input, std::size_t size);
}

namespace gatehouse::waf {
namespace {

// Its own is 544 bytes in libinjection 3.9; nothing of it is read here.
struct alignas(16) SqliState {
  std::array<std::byte, 2048> bytes;
  libinjection_sqli_state* get() noexcept { return reinterpret_cast<libinjection_sqli_state*>(bytes.data()); }
};

// What it asks for: is this a word of SQL, and of which kind? But the last is about the state as a whole: are the kinds
// of its tokens an attack?
constexpr int kFingerprint = 4;

std::uint64_t load(const char* at, std::size_t bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

// Of 1 to 30 bytes, in two or four loads that may overlap.
std::uint64_t hash_of(const char* word, std::size_t size) noexcept {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;  // 2^64 divided by the golden ratio
  std::uint64_t hash = size * kFactor;
  if (size < 4) {
    hash ^= load(word, 1) | load(word + size / 2, 1) << 8 | load(word + size - 1, 1) << 16;
  } else if (size <= 8) {
    hash ^= load(word, 4) | load(word + size - 4, 4) << 32;
  } else {
    hash = (hash ^ load(word, 8)) * kFactor ^ load(word + size - 8, 8);
    if (size > 16) hash = ((hash ^ load(word + 8, 8)) * kFactor ^ load(word + size - 16, 8)) * kFactor;
  }
  hash *= kFactor;
  return (hash ^ hash >> 29) * kFactor;
}

// What words are: pure, so that nothing here ever goes out of date.
class WordMemo {
 public:
  char find(libinjection_sqli_state* state, int type, const char* word, std::size_t size) noexcept {
    if (size == 0 || size > kBytesMax) return libinjection_sqli_lookup_word(state, type, word, size);
    Entry& entry = entries_[hash_of(word, size) >> (64 - kBits)];
    if (entry.size != size || std::memcmp(entry.word.data(), word, size) != 0) {
      entry.answer = libinjection_sqli_lookup_word(state, type, word, size);
      entry.size = static_cast<std::uint8_t>(size);
      std::memcpy(entry.word.data(), word, size);
    }
    return entry.answer;
  }

 private:
  static constexpr std::size_t kBits = 11, kBytesMax = 30;
  struct Entry {
    std::array<char, kBytesMax> word{};
    std::uint8_t size = 0;  // 0: free
    char answer = 0;
  };
  std::array<Entry, std::size_t{1} << kBits> entries_{};
};

constinit thread_local WordMemo words;
constinit thread_local SqliFingerprint attack;  // the last that was one

char look_up(libinjection_sqli_state* state, int type, const char* word, std::size_t size) {
  if (type != kFingerprint) return words.find(state, type, word, size);
  const char answer = libinjection_sqli_lookup_word(state, type, word, size);
  if (answer != 0) {
    attack = {};
    std::memcpy(attack.text.data(), word, std::min(size, attack.text.size() - 1));
  }
  return answer;
}

}  // namespace

std::optional<SqliFingerprint> detect_sqli(std::string_view value) noexcept {
  if (value.empty()) return std::nullopt;
  SqliState state;
  libinjection_sqli_init(state.get(), value.data(), value.size(), 0);
  libinjection_sqli_callback(state.get(), &look_up, nullptr);
  return libinjection_is_sqli(state.get()) == 0 ? std::nullopt : std::optional(attack);
}

std::optional<SqliFingerprint> SqliMemo::detect(std::string_view value) {
  if (value.size() < kBytesMin || value.size() > kBytesMax) return detect_sqli(value);
  for (const Ring* const ring : {&attacks_, &others_}) {
    for (std::size_t i = 0; i < std::min(ring->used, ring->known.size()); ++i) {
      if (ring->known[i].value == value) return ring->known[i].verdict;
    }
  }
  const auto verdict = detect_sqli(value);
  Ring& ring = verdict ? attacks_ : others_;
  Known& known = ring.known[ring.used++ % ring.known.size()];
  known.value.assign(value);
  known.verdict = verdict;
  return verdict;
}

bool detect_xss(std::string_view value) noexcept {
  return !value.empty() && libinjection_xss(value.data(), value.size()) == 1;
}

}  // namespace gatehouse::waf
