#include "waf/body/multipart.h"

#include <cstring>

#include "http/message.h"
#include "waf/body/text.h"

namespace gatehouse::waf {
namespace {

struct Line {
  std::string_view text;  // without its end
  std::size_t begin = 0;  // in the body
  std::size_t next = 0;   // where the next line begins
  enum class End : std::uint8_t { none, lf, crlf } end = End::none;
};

class MultipartReader {
 public:
  MultipartReader(std::string_view bytes, std::string_view boundary, const BodyLimits& limits, Arena& arena, Body& body)
      : bytes_(bytes), limits_(limits), arena_(arena), body_(body), flags_(body.multipart) {
    char* delimiter = arena.allocate(boundary.size() + 2);
    std::memcpy(delimiter, "--", 2);
    std::memcpy(delimiter + 2, boundary.data(), boundary.size());
    delimiter_ = {delimiter, boundary.size() + 2};
  }

  void read() {
    read_parts();
    flags_.crlf_lf_lines = flags_.lf_line && crlf_line_;
  }

 private:
  struct Delimiter {
    enum class Kind : std::uint8_t { none, open, final } kind = Kind::none;
    std::size_t begin = 0;  // of its line
  };
  struct Part {
    std::size_t begin = 0;
    std::string_view disposition;
    bool has_disposition = false, has_type = false, has_encoding = false;
    std::size_t first_header = 0;  // in body_.part_headers
  };

  void read_parts() {
    Delimiter found = skip_to_delimiter();
    if (found.kind != Delimiter::Kind::none && found.begin > 0) flags_.data_before = true;
    if (found.kind == Delimiter::Kind::none) {
      flags_.data_before = true;
      return fail(BodyError::malformed, "no boundary in the body", 0);
    }
    for (std::size_t parts = 0; found.kind == Delimiter::Kind::open; ++parts) {
      if (parts == limits_.parts_max) return fail(BodyError::too_many_parts, "too many parts", at_);
      found = read_part();
      if (stopped_) return;
    }
    if (found.kind == Delimiter::Kind::none) return fail(BodyError::malformed, "final boundary missing", bytes_.size());
    if (at_ < bytes_.size()) flags_.data_after = true;
  }

  void fail(BodyError what, const char* why, std::size_t offset) { body_.fail(what, why, offset); }
  void stop(BodyError what, const char* why, std::size_t offset) { fail(what, why, offset), stopped_ = true; }

  Line line_at(std::size_t begin) const noexcept {
    const std::size_t newline = bytes_.find('\n', begin);
    if (newline == std::string_view::npos) return {bytes_.substr(begin), begin, bytes_.size(), Line::End::none};
    const bool crlf = newline > begin && bytes_[newline - 1] == '\r';
    return {bytes_.substr(begin, newline - begin - (crlf ? 1 : 0)), begin, newline + 1,
            crlf ? Line::End::crlf : Line::End::lf};
  }

  void note_end(Line::End end) noexcept {
    if (end == Line::End::lf) flags_.lf_line = true;
    if (end == Line::End::crlf) crlf_line_ = true;
  }

  // Whether this line is a boundary of ours; flags what only looks like one.
  Delimiter::Kind delimiter_of(const Line& line) {
    if (!line.text.starts_with("--")) return Delimiter::Kind::none;
    const std::string_view rest = line.text.substr(2);
    const std::string_view boundary = delimiter_.substr(2);
    if (rest.starts_with(boundary)) {
      const std::string_view tail = rest.substr(boundary.size());
      const bool final = tail == "--";
      if (final || (tail.empty() && line.end != Line::End::none)) {
        note_end(line.end);
        if (boundaries_++ > 0 && flags_.unmatched_boundary == 1) flags_.unmatched_boundary = 2;
        return final ? Delimiter::Kind::final : Delimiter::Kind::open;
      }
      flags_.invalid_part = true;
      fail(BodyError::malformed, "boundary followed by other bytes", line.begin);
    } else if (const std::size_t at = rest.find_first_not_of(" \t\r\v\f\"");
               at != 0 && at != std::string_view::npos && rest.substr(at).starts_with(boundary)) {
      fail(BodyError::malformed, "white space or quote in front of a boundary", line.begin);
    }
    flags_.unmatched_boundary = 1;
    return Delimiter::Kind::none;
  }

  // Leaves at_ behind the next boundary's line, or at the end.
  Delimiter skip_to_delimiter() {
    const std::size_t begin = at_;
    Delimiter found{Delimiter::Kind::none, bytes_.size()};
    Line::End previous = Line::End::none;
    while (at_ < bytes_.size() && found.kind == Delimiter::Kind::none) {
      const Line line = line_at(at_);
      at_ = line.next;
      found.kind = delimiter_of(line);
      if (found.kind == Delimiter::Kind::none) {
        previous = line.end;
      } else {
        found.begin = line.begin;
        note_end(previous);
      }
    }
    if (bytes_.substr(begin, found.begin - begin).find(delimiter_) != std::string_view::npos) {
      flags_.unmatched_boundary = found.kind != Delimiter::Kind::none && boundaries_ > 1 ? 2 : 1;
    }
    return found;
  }

  Delimiter read_part() {
    Part part;
    part.begin = at_;
    part.first_header = body_.part_headers.size();
    if (const std::optional<Delimiter> early = read_headers(part)) {
      if (stopped_) return {};
      flags_.invalid_part = true;
      fail(BodyError::malformed, "part without data", early->begin);
      finish_part(part, {});
      return *early;
    }
    const std::size_t data = at_;
    const Delimiter found = skip_to_delimiter();
    std::string_view content = bytes_.substr(data, found.begin - data);
    if (found.kind != Delimiter::Kind::none) content = without_last_line_end(content, found.begin);
    finish_part(part, content);
    return found;
  }

  std::string_view without_last_line_end(std::string_view content, std::size_t end) {
    if (content.empty()) {
      // The header's empty line is all there is between headers and boundary: some read the boundary as data.
      flags_.invalid_part = true;
      fail(BodyError::malformed, "part without data", end);
      return content;
    }
    content.remove_suffix(1);
    if (content.ends_with('\r')) content.remove_suffix(1);
    return content;
  }

  // Nothing when the headers ended with their empty line; otherwise what ended them instead.
  std::optional<Delimiter> read_headers(Part& part) {
    std::size_t header = at_;  // where the header being read began
    std::size_t header_end = at_;
    bool folded = false;
    const auto finish = [&] {
      if (header != header_end) keep_header(part, bytes_.substr(header, header_end - header), folded, header);
      folded = false;
    };
    while (at_ < bytes_.size()) {
      const Line line = line_at(at_);
      if (line.next - part.begin > limits_.part_header_bytes_max) {
        finish();
        name_headers(part, {});
        stop(BodyError::too_large, "part headers too long", at_);
        return Delimiter{};
      }
      const Delimiter::Kind kind = delimiter_of(line);
      if (kind != Delimiter::Kind::none) {
        finish();
        at_ = line.next;
        return Delimiter{kind, line.begin};
      }
      note_end(line.end);
      at_ = line.next;
      if (line.text.empty()) {
        finish();
        return std::nullopt;
      }
      if (is_space(line.text.front())) {
        note_folding(line, header == header_end);
        folded = header != header_end;
        if (header == header_end) header = line.begin;
      } else {
        finish();
        header = line.begin;
      }
      header_end = line.next;
    }
    finish();
    return Delimiter{Delimiter::Kind::none, bytes_.size()};
  }

  void note_folding(const Line& line, bool nothing_to_fold) {
    flags_.header_folding = true;
    for (const char c : line.text) {
      if (!is_space(c)) break;
      if (c != ' ' && c != '\t') flags_.invalid_header_folding = true;
    }
    if (nothing_to_fold) {
      flags_.invalid_part = true;
      fail(BodyError::malformed, "folded line without a part header", line.begin);
    }
  }

  // Joins folded lines by one space; without the last line's end.
  std::string_view unfold(std::string_view raw) {
    char* const begin = arena_.allocate(raw.size());
    char* to = begin;
    for (std::size_t at = 0; at < raw.size();) {
      std::size_t end = raw.find('\n', at);
      const std::size_t next = end == std::string_view::npos ? raw.size() : end + 1;
      if (end == std::string_view::npos) end = raw.size();
      while (end > at && (raw[end - 1] == '\r')) --end;
      if (at > 0) {
        while (at < end && is_space(raw[at])) ++at;
        *to++ = ' ';
      }
      std::memcpy(to, raw.data() + at, end - at);
      to += end - at;
      at = next;
    }
    return {begin, static_cast<std::size_t>(to - begin)};
  }

  void keep_header(Part& part, std::string_view raw, bool folded, std::size_t offset) {
    std::string_view line = folded ? unfold(raw) : line_at(offset).text;
    body_.part_headers.push_back({{}, line});
    if (line.find('\0') != std::string_view::npos) fail(BodyError::malformed, "NUL in part headers", offset);
    if (line.find('\r') != std::string_view::npos) fail(BodyError::malformed, "bare CR in part headers", offset);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return fail(BodyError::malformed, "part header without colon", offset);
    const std::string_view name = line.substr(0, colon);
    bool token = !name.empty();
    for (const char c : name) token = token && is_token_char(c);
    if (!token) return fail(BodyError::malformed, "invalid name of a part header", offset);
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    if (http::equals_ignoring_case(name, "Content-Disposition")) {
      if (!part.has_disposition) part.disposition = value;
      once(part.has_disposition, offset);
    } else if (http::equals_ignoring_case(name, "Content-Type")) {
      once(part.has_type, offset);
    } else if (http::equals_ignoring_case(name, "Content-Transfer-Encoding")) {
      once(part.has_encoding, offset);
    }
  }

  void once(bool& seen, std::size_t offset) {
    if (seen) fail(BodyError::malformed, "part header repeated", offset);
    seen = true;
  }

  void name_headers(const Part& part, std::string_view name) {
    for (std::size_t i = part.first_header; i < body_.part_headers.size(); ++i) body_.part_headers[i].name = name;
  }

  // An invalid part is kept as far as it was understood: the rules shall see its bytes.
  void finish_part(const Part& part, std::string_view content) {
    Disposition disposition;
    if (part.has_disposition) {
      disposition = parse_disposition(part.disposition, arena_);
    } else {
      disposition.error = "part without Content-Disposition";
    }
    const std::string_view name = disposition.name.value_or(std::string_view{});
    if (!disposition.error && name.empty()) disposition.error = "part without a name";
    if (!disposition.error && disposition.extended_filename && disposition.filename.value_or("").empty()) {
      disposition.error = "filename* without filename";  // RFC 7578 §4.2 forbids it, and few readers know it
    }
    if (disposition.invalid_quoting) flags_.invalid_quoting = true;
    if (disposition.error) {
      flags_.invalid_part = true;
      fail(BodyError::malformed, disposition.error, part.begin);
    }
    name_headers(part, name);
    if (disposition.name) body_.part_names.push_back({name, name});
    bool is_file = false;
    for (const auto& filename : {disposition.filename, disposition.extended_filename}) {
      if (!filename) continue;
      body_.part_filenames.push_back({*filename, *filename});
      if (filename->empty()) continue;
      body_.files.push_back({name, *filename, is_file ? 0 : content.size()});
      if (!is_file && ++files_ > limits_.files_max) flags_.file_limit_exceeded = true;
      is_file = true;
    }
    if (is_file) return;
    if (body_.arguments.size() == limits_.arguments_max) {
      return stop(BodyError::too_many_arguments, "too many arguments", part.begin);
    }
    body_.arguments.push_back({name, content});
  }

  std::string_view bytes_;
  std::string_view delimiter_;  // `--` and the boundary
  const BodyLimits& limits_;
  Arena& arena_;
  Body& body_;
  MultipartFlags& flags_;
  std::size_t at_ = 0;
  std::size_t boundaries_ = 0, files_ = 0;
  bool crlf_line_ = false;
  bool stopped_ = false;
};

}  // namespace

void read_multipart_body(std::string_view content_type, std::string_view bytes, const BodyLimits& limits, Arena& arena,
                         Body& body) {
  MultipartFlags& flags = body.multipart;
  const std::optional<std::string_view> boundary = parse_boundary(content_type, body);
  if (boundary && !bytes.empty()) {
    MultipartReader(bytes, *boundary, limits, arena, body).read();
  }
  flags.strict_error = body.error != BodyError::none || flags.boundary_quoted || flags.boundary_whitespace ||
                       flags.data_before || flags.data_after || flags.header_folding || flags.lf_line ||
                       flags.missing_semicolon || flags.invalid_quoting || flags.invalid_part ||
                       flags.invalid_header_folding || flags.file_limit_exceeded;
}

}  // namespace gatehouse::waf
