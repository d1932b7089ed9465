// Paths as a file system reads them: without empty segments, self references and back references.
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

// What a relative path has in front of it is unknown: its leading `..` stay. An absolute one does not leave its root.
// A segment that ends in `..` counts as a back reference to itself, as libmodsecurity has it.
template <bool kWin>
class PathNormalizer {
 public:
  PathNormalizer(std::string_view in, std::string& out)
      : in_(in), relative_(!is_separator(in.front())), result_(in, 0, in.size(), out) {}

  bool run() {
    std::size_t at = 0;
    while (at < in_.size()) {
      at = copy_plain(at);
      if (at == in_.size()) break;
      if (ends_segment(at) && in_[at] == '.' && reference(at)) {
        // At the end of the value there is nothing behind the reference; elsewhere a separator, which is read next.
        at += 1;
        if (at == in_.size()) break;
      }
      at = copy_one(at);
    }
    if (!is_separator(in_.back()) && result_.size() > 0 && result_.back() == '/') result_.cut(result_.size() - 1);
    return result_.finish();
  }

 private:
  bool is_separator(char c) const noexcept { return c == '/' || (kWin && c == '\\'); }
  bool ends_segment(std::size_t at) const noexcept { return at + 1 == in_.size() || is_separator(in_[at + 1]); }

  // The `.` before a separator or the end. True when it was a reference and is done with.
  bool reference(std::size_t at) noexcept {
    const std::size_t size = result_.size();
    if (size == 0) return true;
    if (result_.back() == '/') {
      if (at + 1 < in_.size()) result_.cut(size - 1);  // the separator behind it takes its place
      return true;
    }
    if (result_.back() != '.') return false;
    if (relative_ && (at_root_ || size <= 2)) {
      at_root_ = true;
      return false;
    }
    // From the first dot to the separator before the segment that it takes back.
    std::size_t cut = size >= 3 ? size - 3 : 0;
    while (cut > 0 && result_.at(cut) != '/') --cut;
    if (cut == 0) {
      at_root_ = true;
      if (!relative_ && at + 1 == in_.size()) cut = 1;
    }
    result_.cut(cut);
    return true;
  }

  // Up to the next separator or dot. A segment with a name, of two bytes at least, is one that `..` may take back.
  std::size_t copy_plain(std::size_t at) noexcept {
    const std::size_t next = kWin ? find_any<'/', '.', '\\'>(in_, at) : find_any<'/', '.'>(in_, at);
    if (next == at) return at;
    result_.copy(in_.substr(at, next - at));
    if (next < in_.size() && is_separator(in_[next]) && result_.size() > 1) at_root_ = false;
    return next;
  }

  // Copies the dot at `at`, or of several separators one. Returns where to go on.
  std::size_t copy_one(std::size_t at) noexcept {
    if (!is_separator(in_[at])) {
      result_.put(in_[at]);
      return at + 1;
    }
    while (at + 1 < in_.size() && is_separator(in_[at + 1])) ++at;
    if (!(relative_ && result_.size() == 0)) result_.put('/');
    return at + 1;
  }

  const std::string_view in_;
  const bool relative_;
  bool at_root_ = false;
  Rewriter result_;
};

}  // namespace

bool normalize_path(std::string_view in, std::string& out) {
  if (find_any<'/', '.'>(in) == in.size()) return false;
  return PathNormalizer<false>(in, out).run();
}

bool normalize_path_win(std::string_view in, std::string& out) {
  if (find_any<'/', '.', '\\'>(in) == in.size()) return false;
  return PathNormalizer<true>(in, out).run();
}

}  // namespace gatehouse::waf
