#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/keyed_hash.h"
#include "crypto/sha1.h"
#include "identity/users/passwords.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kPlainFileBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kLineBytesMax = 128;  // of a file of digests

// What stays of a common password without what people put around it: letters only, in lower case.
constexpr std::string_view kWords[] = {
    "abc",       "abcabc",      "abcdef",       "access",     "admin",      "administrator", "adminadmin",
    "amanda",    "andrea",      "angel",        "apple",      "arsenal",    "asdf",          "asdfasdf",
    "asdfgh",    "asdfghjk",    "asdfghjkl",    "ashley",     "august",     "autumn",        "babygirl",
    "bailey",    "banana",      "barcelona",    "baseball",   "basketball", "batman",        "berlin",
    "blink",     "butterfly",   "changeme",     "charlie",    "cheese",     "chelsea",       "chocolate",
    "computer",  "cookie",      "corvette",     "daniel",     "december",   "default",       "demo",
    "dragon",    "einstein",    "eminem",       "fckyou",     "february",   "ferrari",       "flower",
    "football",  "freedom",     "friends",      "fussball",   "gandalf",    "gatehouse",     "geheim",
    "george",    "ginger",      "google",       "guest",      "hallo",      "hallohallo",    "hallowelt",
    "hannah",    "harley",      "hello",        "hellohello", "helloworld", "herbst",        "hunter",
    "ihateyou",  "iloveyou",    "ichliebedich", "internet",   "jennifer",   "jessica",       "jordan",
    "joshua",    "juventus",    "killer",       "kennwort",   "letmein",    "letmeinnow",    "liverpool",
    "login",     "london",      "love",         "loveme",     "lovely",     "maggie",        "manchester",
    "marina",    "martin",      "master",       "masterkey",  "matrix",     "matthew",       "mercedes",
    "merlin",    "michael",     "michelle",     "mickey",     "monkey",     "mustang",       "mypassword",
    "naruto",    "newpassword", "nicole",       "november",   "october",    "orange",        "pass",
    "passpass",  "passphrase",  "passw",        "passwd",     "passwort",   "password",      "passwordpassword",
    "patrick",   "pepper",      "pokemon",      "princess",   "private",    "purple",        "qazwsx",
    "qazwsxedc", "qwer",        "qwert",        "qwertz",     "qwertzu",    "qwertzui",      "qwertzuiop",
    "qwerty",    "qwertyu",     "qwertyui",     "qwertyuiop", "qweasd",     "qweasdzxc",     "ranger",
    "robert",    "root",        "rootroot",     "samsung",    "schalke",    "schatz",        "secret",
    "september", "shadow",      "slipknot",     "snoopy",     "soccer",     "sommer",        "spiderman",
    "spring",    "starwars",    "steelers",     "summer",     "sunshine",   "superman",      "superuser",
    "swordfish", "taylor",      "test",         "tester",     "testing",    "testtest",      "thomas",
    "thunder",   "tigger",      "trustno",      "trustnoone", "user",       "welcome",       "whatever",
    "william",   "willkommen",  "windows",      "winter",     "yankees",    "zaq",           "zaqxsw",
    "zxcvbn",    "zxcvbnm"};

char without_disguise(char c) noexcept {
  switch (c) {
    case '@':
    case '4': return 'a';
    case '3': return 'e';
    case '1':
    case '!': return 'i';
    case '0': return 'o';
    case '5':
    case '$': return 's';
    case '7': return 't';
    default: return c;
  }
}

bool is_letter(char c) noexcept { return c >= 'a' && c <= 'z'; }

bool is_word(std::string_view letters) noexcept {
  return std::find(std::begin(kWords), std::end(kWords), letters) != std::end(kWords);
}

// One character again and again, or each one more (or less) than the one before: 11111111, 12345678, hgfedcba, 13579….
bool is_run(std::string_view text) noexcept {
  if (text.size() < 2) return true;
  const int step = text[1] - text[0];
  if (step < -2 || step > 2) return false;
  int breaks = 0;
  for (std::size_t i = 1; i < text.size(); ++i) breaks += text[i] - text[i - 1] != step;
  return breaks <= 1;  // 1234567890
}

bool is_repeated(std::string_view text) noexcept {
  for (std::size_t part = 1; part <= std::min<std::size_t>(4, text.size() / 2); ++part) {
    if (text.substr(part) == text.substr(0, text.size() - part)) return true;
  }
  return false;
}

bool is_common(std::string_view password) {
  const std::string lower = ascii_lower(password);
  if (is_run(lower) || is_repeated(lower)) return true;
  // A word in front, then anything but letters: summer2024!
  std::size_t end = lower.size();
  while (end > 0 && !is_letter(lower[end - 1])) --end;
  std::size_t begin = 0;
  while (begin < end && !is_letter(lower[begin])) ++begin;
  if (begin == end) return false;
  const std::string core = lower.substr(begin, end - begin);
  if (is_word(core)) return true;
  std::string plain(lower);
  std::transform(plain.begin(), plain.end(), plain.begin(), without_disguise);
  if (is_word(plain)) return true;
  plain = core;
  std::transform(plain.begin(), plain.end(), plain.begin(), without_disguise);
  return is_word(plain);
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// How many hexadecimal digits a line begins with, when nothing but a count follows them.
std::size_t digest_digits(std::string_view line) noexcept {
  std::size_t digits = 0;
  while (digits < line.size() && hex_digit(line[digits]) >= 0) ++digits;
  return digits == line.size() || line[digits] == ':' || line[digits] == '\r' ? digits : 0;
}

// -1, 0, 1; digits of either case.
int compare_hex(std::string_view a, std::string_view b) noexcept {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const int x = hex_digit(a[i]), y = hex_digit(b[i]);
    if (x != y) return x < y ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

}  // namespace

struct BreachedList::File {
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  // The first line that begins at or after `at`; its digits, and where the one after it begins. Empty at the end, and
  // when the file cannot be read.
  std::string_view line_from(std::uint64_t at, std::uint64_t& next, std::array<char, 2 * kLineBytesMax>& buffer) const {
    const std::uint64_t from = at == 0 ? 0 : at - 1;  // a line feed just before `at` makes a line begin at it
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(from));
    if (got <= 0) return {};
    std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    if (at != 0) {
      begin = text.find('\n');
      if (begin == std::string_view::npos || ++begin >= text.size()) return {};
    }
    std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    next = from + end + 1;
    const std::string_view line = text.substr(begin, end - begin);
    const std::size_t have = digest_digits(line);
    return line.substr(0, have);
  }

  bool has_digest(std::string_view hex) const {
    std::array<char, 2 * kLineBytesMax> buffer;
    std::uint64_t low = 0, high = size, next = 0;
    while (low < high) {  // the line is one of those that begin in [low, high)
      const std::uint64_t middle = low + (high - low) / 2;
      const std::string_view line = line_from(middle, next, buffer);
      const int order = line.empty() ? 1 : compare_hex(line, hex);
      if (order == 0) return true;
      if (order < 0) {
        low = next;
      } else {
        high = middle;
      }
    }
    return false;
  }

  int fd = -1;
  std::uint64_t size = 0;
  std::size_t digits = 0;  // 40: SHA-1, 64: SHA-256; 0: passwords
  std::unordered_set<std::uint64_t> passwords;
};

BreachedList::BreachedList() = default;
BreachedList::BreachedList(BreachedList&&) noexcept = default;
BreachedList& BreachedList::operator=(BreachedList&&) noexcept = default;
BreachedList::~BreachedList() = default;

Result<BreachedList> BreachedList::open(const std::string& path) {
  auto file = std::make_unique<File>();
  file->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (file->fd < 0 || ::fstat(file->fd, &info) != 0) return fail_errno(path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid, path + ": not a file", ErrorSource::configuration);
  file->size = static_cast<std::uint64_t>(info.st_size);
  std::array<char, 2 * kLineBytesMax> buffer;
  std::uint64_t next = 0;
  const std::size_t digits = file->line_from(0, next, buffer).size();
  if (digits == 40 || digits == 64) {
    file->digits = digits;
    // Searching what is not sorted would find nothing and say nothing.
    std::string before;
    constexpr std::uint64_t kSamples = 1000;
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      const std::string_view line = file->line_from(file->size / kSamples * i, next, buffer);
      if (line.empty()) continue;
      if (line.size() != digits || (!before.empty() && compare_hex(before, line) > 0)) {
        return fail(ErrorCode::invalid, path + ": the digests are not sorted, or not all of one kind",
                    ErrorSource::configuration);
      }
      before = line;
    }
  } else {
    const auto text = read_file(path, kPlainFileBytesMax);
    if (!text) return tl::unexpected(text.error());
    for (std::string_view rest = *text; !rest.empty();) {
      const std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (!line.empty()) file->passwords.insert(crypto::keyed_hash(line));
    }
  }
  BreachedList list;
  list.file_ = std::move(file);
  return list;
}

bool BreachedList::contains(std::string_view password) const {
  if (is_common(password)) return true;
  if (!file_) return false;
  if (file_->digits == 0) return file_->passwords.contains(crypto::keyed_hash(password));
  if (file_->digits == 64) return file_->has_digest(crypto::to_hex(crypto::as_text(crypto::sha256(password))));
  const auto digest = crypto::sha1(password);
  return file_->has_digest(crypto::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}));
}

}  // namespace gatehouse::identity
