#pragma once
// DATA of streams that are gone, which nghttp2 drops before any callback. What the peer may have sent before it heard
// that we ended the stream is owed to it; whatever else comes is a flood that nobody would count.
//
// Private to the codec; sans-I/O.
//
// Invariant: `LateData` forgets no stream whose reset an honest peer has not heard of. It hears our resets in their
// order, and has no more than the bound of concurrent streams open that it takes for alive; so the last `streams_max`
// are enough.
// Source: RFC 9113 §4.1 (frame heads), §5.1 ("closed": frames may still come), §5.2 (windows).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gatehouse::http {

struct FrameHead {
  static constexpr std::size_t kBytes = 9;
  std::uint32_t length = 0;
  std::uint8_t type = 0, flags = 0;
  std::int32_t stream_id = 0;
};

// Finds the heads of frames in a peer's bytes, wherever they were cut. It judges nothing: the framing is nghttp2's.
class FrameScanner {
 public:
  // `preface_bytes`: what stands before the first frame.
  explicit FrameScanner(std::size_t preface_bytes) noexcept : skip_(preface_bytes) {}

  // Takes `bytes` up to the end of the next head; false: all of them, and none came to its end.
  bool next(std::string_view& bytes, FrameHead& head) noexcept {
    const std::size_t skipped = std::min(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    while (!bytes.empty()) {
      seen_[seen_bytes_++] = static_cast<std::uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (seen_bytes_ < FrameHead::kBytes) continue;
      seen_bytes_ = 0;
      head.length = number(0, 3);
      head.type = seen_[3];
      head.flags = seen_[4];
      head.stream_id = static_cast<std::int32_t>(number(5, 4) & 0x7fffffff);
      skip_ = head.length;
      return true;
    }
    return false;
  }

 private:
  std::uint32_t number(std::size_t from, std::size_t bytes) const noexcept {
    std::uint32_t value = 0;
    for (std::size_t i = from; i < from + bytes; ++i) value = value << 8 | seen_[i];
    return value;
  }

  std::size_t skip_;
  std::size_t seen_bytes_ = 0;
  std::uint8_t seen_[FrameHead::kBytes] = {};
};

// What is still owed to streams that we ended before the peer did.
class LateData {
 public:
  explicit LateData(std::uint32_t streams_max) noexcept : streams_max_(std::max<std::uint32_t>(streams_max, 1)) {}

  // The stream is reset or refused; its window lets `window_bytes` be on their way.
  void expect(std::int32_t id, std::int32_t window_bytes) {
    const Stream stream{id, static_cast<std::uint32_t>(std::max(window_bytes, 0))};
    if (Stream* const known = find(id)) {
      *known = stream;
    } else if (streams_.size() < streams_max_) {
      streams_.push_back(stream);
    } else {
      streams_[oldest_] = stream;
      oldest_ = (oldest_ + 1) % streams_.size();
    }
  }

  // A DATA frame that was dropped; `end`: with END_STREAM. false: more than the peer can have sent in good faith.
  bool admit(std::int32_t id, std::uint32_t bytes, bool end) noexcept {
    Stream* const stream = find(id);
    if (stream == nullptr || bytes > stream->left || (bytes == 0 && !end)) return false;
    stream->left -= bytes;
    if (end) stream->id = 0;  // no stream of a peer's; the slot waits for its turn
    return true;
  }

 private:
  struct Stream {
    std::int32_t id;
    std::uint32_t left;
  };
  Stream* find(std::int32_t id) noexcept {
    const auto found = std::find_if(streams_.begin(), streams_.end(), [id](const Stream& s) { return s.id == id; });
    return found != streams_.end() ? &*found : nullptr;
  }

  std::uint32_t streams_max_;
  std::vector<Stream> streams_;
  std::size_t oldest_ = 0;
};

}  // namespace gatehouse::http
