// From a request's bytes to the values that rules look at.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "waf/body/body.h"
#include "waf/body/json_body.h"
#include "waf/body/multipart.h"
#include "waf/body/urlencoded.h"
#include "waf/body/xml_body.h"
#include "waf/characters.h"
#include "waf/engine/transaction.h"
#include "waf/names.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kCookiesMax = 1000;

// A path: unlike in a form, `+` stands for itself. What is no escape stays.
std::string percent_decoded(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size() && is_hex(path[i + 1]) && is_hex(path[i + 2])) {
      out += static_cast<char>(hex_value(path[i + 1]) * 16 + hex_value(path[i + 2]));
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

}  // namespace

Workspace::Workspace(const Program& program, const MatchPlan* plan) : program_(program), plan_(plan) {
  if (!plan_) return;
  auto scratch = plan_->make_scratch();
  GH_CHECK(scratch);
  matches_ = std::move(*scratch);
}

Transaction::Transaction(Workspace& workspace, const Clock& clock)
    : work_(workspace), program_(workspace.program()), clock_(clock) {}

void Transaction::begin(const Settings& settings) {
  settings_ = settings;
  arena_.reset();
  work_.matches_.sqli().forget();
  using Bound = RegexBudget::Bound;
  regexes_.begin(settings.each_place_alone_is_bound ? Bound::each_place
                 : work_.plan_ != nullptr           ? Bound::planned
                                                    : Bound::rule_by_rule);
  values_.clear();
  values_.set(Variable::reqbody_processor, "");  // rules ask for its absence by `!@rx`
  if (work_.plan_) scans_.reset(work_.plan_->slots());
  tx_.reset(program_.tx_names().size());
  tx_others_.release();
  ip_key_.clear();
  ip_.clear();
  geo_.clear();
  matched_vars_.clear();
  matched_now_.clear();
  last_match_ = {};
  mode_ = settings.engine;
  body_access_ = settings.request_body_access;
  force_body_variable_ = false;
  content_type_.clear();
  forced_processor_.reset();
  removed_.assign(program_.rules().size(), false);
  removed_targets_.clear();
  if (settings_.tuning != nullptr) tune(*settings_.tuning);
  for (const Tuning* const tuning : settings_.more_tunings) tune(*tuning);
  settings_.more_tunings = {};
  allowed_until_ = 0;
  fired_.clear();
  interruption_.reset();
  score_ = {};
  spent_.fill({});
  began_ = clock_.now();
}

void Transaction::end() noexcept {
  settings_ = {};
  values_.clear();
  tx_.release();
  geo_.clear();
  body_.clear();
  matched_vars_.clear();
  matched_now_.clear();
  last_match_ = {};
  removed_targets_.clear();
  fired_.clear();
  tx_others_.release();
  ip_.clear();
  trial_ = {};
  arena_.reset();
}

std::size_t Transaction::bytes() const noexcept {
  const auto array = [](const auto& vector) { return vector.capacity() * sizeof(vector[0]); };
  std::size_t sum =
      sizeof(*this) + arena_.bytes() + values_.bytes() + scans_.bytes() + tx_.bytes() + tx_others_.bytes();
  sum += array(body_.arguments) + array(body_.files) + array(body_.part_headers) + array(body_.part_names);
  sum += array(body_.part_filenames) + array(body_.xml_text) + array(body_.xml_attributes);
  sum += array(ip_) + array(geo_) + array(matched_vars_) + array(matched_now_) + array(fired_);
  sum += removed_.capacity() / 8 + ip_key_.capacity();
  for (const KeptVariable& kept : ip_) sum += kept.name.capacity() + kept.value.capacity();
  const auto add = [&](const FiredRule& fired) {
    sum += fired.message.capacity() + fired.data.capacity() + array(fired.matches);
    for (const RuleMatch& match : fired.matches) sum += match.variable.capacity() + match.value.capacity();
  };
  for (const FiredRule& fired : fired_) add(fired);
  add(trial_);
  return sum;
}

void Transaction::tune(const Tuning& tuning) {
  for (const auto& [slot, value] : tuning.presets) tx_.set_lasting(slot, value, number_of(value));
  for (std::size_t i = 0; i < tuning.off.size(); ++i) {
    if (tuning.off[i]) removed_[i] = true;
  }
  for (const RemovedTarget& removed : tuning.removed_targets) removed_targets_.push_back(&removed);
}

void Transaction::set_number(Variable variable, std::uint64_t number) {
  values_.set(variable, keep(std::to_string(number)));
}

void Transaction::connection(std::string_view remote_address, std::string_view unique_id) {
  values_.set(Variable::remote_addr, keep(remote_address));
  values_.set(Variable::unique_id, keep(unique_id));
}

// The query is split off before anything is decoded: the other order lets an encoded `?` hide a path (CVE-2024-1019).
void Transaction::request_line(std::string_view method, std::string_view raw_uri, std::string_view uri,
                               std::string_view protocol) {
  values_.set(Variable::request_method, keep(method));
  values_.set(Variable::request_protocol, keep(protocol));
  values_.set(Variable::request_uri_raw, keep(raw_uri));
  regexes_.add_bytes(method.size() + raw_uri.size() + uri.size() + protocol.size());
  const std::string line = std::string(method).append(" ").append(raw_uri).append(" ").append(protocol);
  values_.set(Variable::request_line, keep(line));

  // Seen without scheme and host, as a proxy's clients may send them.
  std::string_view target = uri.substr(0, uri.find('#'));
  if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos && scheme < target.find('/')) {
    const std::size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  values_.set(Variable::request_uri, keep(target));
  const std::size_t mark = target.find('?');
  const std::string_view raw_path = target.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  const bool escaped = raw_path.find('%') != std::string_view::npos;
  const std::string_view path = escaped ? keep(percent_decoded(raw_path)) : keep(raw_path);
  values_.set(Variable::request_filename, path);
  // `CONNECT shop.example:443` has no path, and so no file whose extension rules could take offence at.
  if (const std::size_t slash = path.find_last_of("/\\"); slash != std::string_view::npos)
    values_.set(Variable::request_basename, path.substr(slash + 1));
  const std::string_view kept_query = keep(query);
  values_.set(Variable::query_string, kept_query);
  std::vector<NameValue> arguments;
  if (parse_urlencoded(kept_query, settings_.arguments_max, arena_, arguments).too_many)
    input_failed("too many arguments");
  for (const NameValue& argument : arguments) values_.add(ValueList::args_get, argument.name, argument.value);
}

void Transaction::request_header(std::string_view name, std::string_view value) {
  name = keep(name);
  value = keep(value);
  values_.add(ValueList::request_headers, name, value);
  regexes_.add_bytes(name.size() + value.size());
  if (same_name(name, "cookie")) {
    std::vector<NameValue> cookies;
    if (!parse_cookies(value, kCookiesMax, cookies)) input_failed("too many cookies");
    for (const NameValue& cookie : cookies) values_.add(ValueList::cookies, cookie.name, cookie.value);
  } else if (same_name(name, "content-type")) {
    // A second field whose type nobody reads must not hide the body from the rules.
    if (content_type_.empty() || default_processor(value) != BodyProcessor::none) content_type_ = value;
    tell_processor();
  }
}

BodyProcessor Transaction::processor() const noexcept {
  return forced_processor_.value_or(default_processor(content_type_));
}

void Transaction::tell_processor() {
  if (const std::string_view name = name_of(processor()); !name.empty()) values_.set(Variable::reqbody_processor, name);
}

// What stays unread is told by the flags that rules know, wherever it stood: half a request is never taken for the
// whole.
void Transaction::input_failed(std::string_view message) {
  set_flag(Variable::reqbody_error, true);
  set_flag(Variable::reqbody_processor_error, true);
  values_.set(Variable::reqbody_error_msg, message);
  values_.set(Variable::reqbody_processor_error_msg, message);
}

BodyLimits Transaction::body_limits() const noexcept {
  BodyLimits limits;
  // One bound for the query and the body, as in libmodsecurity: rules on `&ARGS` ask for the sum.
  limits.arguments_max =
      settings_.arguments_max - std::min(settings_.arguments_max, values_.list(ValueList::args_get).size());
  limits.depth_max = settings_.json_depth_max;
  return limits;
}

void Transaction::request_body(std::string_view bytes, bool complete) {
  if (!body_access_ || bytes.empty()) return;
  body_.clear();
  const BodyLimits limits = body_limits();
  bytes = keep(bytes);
  regexes_.add_bytes(bytes.size());
  const BodyProcessor kind = processor();
  switch (kind) {
    case BodyProcessor::urlencoded: read_urlencoded_body(bytes, limits, arena_, body_); break;
    case BodyProcessor::multipart: read_multipart_body(content_type_, bytes, limits, arena_, body_); break;
    case BodyProcessor::json: read_json_body(bytes, limits, arena_, body_); break;
    case BodyProcessor::xml: read_xml_body(bytes, limits, arena_, body_); break;
    case BodyProcessor::none: break;
  }
  tell_processor();
  if (kind == BodyProcessor::json && !complete) take_unread(bytes, "json");
  // What a processor took apart is looked at in its parts; the raw bytes of a document would only be misread.
  if (kind == BodyProcessor::none || kind == BodyProcessor::urlencoded || force_body_variable_)
    values_.set(Variable::request_body, bytes);
  set_number(Variable::request_body_length, bytes.size());
  take_body(kind, complete);
}

// Of JSON that breaks off within what is inspected, or is none: the value under way is looked at as it stands and with
// its escapes resolved, and so are the names that lead to it.
void Transaction::take_unread(std::string_view json, std::string_view name) {
  if (body_.error != BodyError::malformed) return;
  take_unread_name();
  const std::string_view unread = json.substr(std::min(body_.unread_from, json.size()));
  if (!unread.empty()) values_.add(ValueList::args_post, "json", unread);
  take_escaped(unread, name);
}

void Transaction::take_unread_name() {
  if (!body_.unread_name.empty()) values_.add(ValueList::args_post, body_.unread_name, "");
}

void Transaction::take_body(BodyProcessor kind, bool complete) {
  if (!complete) {
    body_.error = BodyError::none;
    body_.multipart.strict_error = false;
    body_.multipart.unmatched_boundary = {};
  }
  for (const NameValue& argument : body_.arguments) values_.add(ValueList::args_post, argument.name, argument.value);
  std::uint64_t files_bytes = 0;
  for (const File& file : body_.files) {
    values_.add(ValueList::files, file.field, file.filename);
    files_bytes += file.bytes;
  }
  for (const NameValue& header : body_.part_headers) values_.add(ValueList::part_headers, header.name, header.value);
  for (const std::string_view text : body_.xml_text) values_.add(ValueList::xml_texts, {}, text);
  for (const std::string_view text : body_.xml_attributes) values_.add(ValueList::xml_attributes, {}, text);
  if (body_.error != BodyError::none) {
    input_failed(body_.message);
  } else if (!values_.single(Variable::reqbody_error)) {
    set_flag(Variable::reqbody_error, false);
    set_flag(Variable::reqbody_processor_error, false);
  }
  if (kind != BodyProcessor::multipart) return;
  set_number(Variable::files_combined_size, files_bytes);
  const MultipartFlags& flags = body_.multipart;
  set_flag(Variable::multipart_boundary_quoted, flags.boundary_quoted);
  set_flag(Variable::multipart_boundary_whitespace, flags.boundary_whitespace);
  set_flag(Variable::multipart_crlf_lf_lines, flags.crlf_lf_lines);
  set_flag(Variable::multipart_data_after, flags.data_after);
  set_flag(Variable::multipart_data_before, flags.data_before);
  set_flag(Variable::multipart_file_limit_exceeded, flags.file_limit_exceeded);
  set_flag(Variable::multipart_header_folding, flags.header_folding);
  set_flag(Variable::multipart_invalid_header_folding, flags.invalid_header_folding);
  set_flag(Variable::multipart_invalid_part, flags.invalid_part);
  set_flag(Variable::multipart_invalid_quoting, flags.invalid_quoting);
  set_flag(Variable::multipart_lf_line, flags.lf_line);
  set_flag(Variable::multipart_missing_semicolon, flags.missing_semicolon);
  set_flag(Variable::multipart_strict_error, flags.strict_error);
  set_number(Variable::multipart_unmatched_boundary, flags.unmatched_boundary);
}

void Transaction::response_head(std::string_view protocol, std::uint16_t status) {
  values_.set(Variable::response_protocol, keep(protocol));
  set_number(Variable::response_status, status);
}

void Transaction::response_header(std::string_view name, std::string_view value) {
  value = keep(value);
  values_.add(ValueList::response_headers, keep(name), value);
  regexes_.add_answer_bytes(name.size() + value.size());
  if (same_name(name, "content-type")) values_.set(Variable::response_content_type, value.substr(0, value.find(';')));
  if (same_name(name, "content-length")) values_.set(Variable::response_content_length, value);
}

void Transaction::response_body(std::string_view body) {
  values_.set(Variable::response_body, body);
  regexes_.add_answer_bytes(body.size());
}

}  // namespace gatehouse::waf
