#include "app/commands/waf_stats.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "app/commands/admin_output.h"

namespace gatehouse::app {
namespace {

using codec::Json;
using telemetry::duration_text;

// Never so narrow that a message says nothing.
constexpr std::size_t kMessageLeast = 20;

bool begins_character(char c) noexcept { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }
std::size_t characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string shortened(std::string_view text, std::size_t most) {
  if (characters(text) <= most) return std::string(text);
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    if (begins_character(text[at]) && seen++ == most - 1) break;
  }
  return std::string(text.substr(0, at)) + "…";
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string ns_text(const Json& object, std::string_view name) {
  return duration_text(static_cast<std::uint64_t>(std::max<std::int64_t>(number_of(object, name), 0)));
}
std::string share_text(const Json& object) {
  const Json* const share = object.find("share");
  return fmt::format("{:.1f}%", 100 * (share == nullptr ? 0 : share->number().value_or(0)));
}
std::string count_text(std::int64_t count, std::string_view one, std::string_view more) {
  return fmt::format("{} {}", grouped(count), count == 1 ? one : more);
}

// Columns of numbers, to the right, and one of text behind them, which takes the width that is left.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print_to(PrintedText& text, std::size_t width) const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    }
    std::size_t used = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) used += widths[i] + 2;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      std::string line;
      for (std::size_t i = 0; i + 1 < widths.size(); ++i)
        line.append(widths[i] - characters(rows_[r][i]), ' ').append(rows_[r][i]).append("  ");
      const std::string& last = rows_[r].back();
      line += width == 0 ? last : shortened(last, std::max(kMessageLeast, width - std::min(used, width)));
      (r == 0 ? text.strong(line) : text.literal(line)).literal("\n");
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string printable(std::string_view text) {
  std::string out;
  telemetry::append_printable(text, out);
  return out;
}

std::string message_of(const Json& rule) {
  std::string message = printable(text_of(rule, "message"));
  if (number_of(rule, "rule") == 0) message = "(rules beyond the bound, together)";
  if (message.empty()) {
    const std::string_view file = text_of(rule, "file");
    message = fmt::format("({}:{})", printable(file.substr(file.rfind('/') + 1)), number_of(rule, "line"));
  }
  if (!flag_of(rule, "in_force")) message = "(no longer in force) " + message;
  return message;
}

// Where the time goes, all rules together.
void add_parts(const Json& answer, PrintedText& text) {
  const auto name_of = [](std::string_view part) {
    return part == "reading"    ? "reading what rules look at"
           : part == "scanning" ? "scanning for the patterns of all rules"
           : part == "rules"    ? "evaluating rules one by one"
                                : "the rest";
  };
  text.literal("A request takes ").strong(ns_text(answer, "mean_ns")).literal(" on average:\n");
  for (const Json& part : list_of(answer, "parts"))
    text.literal(fmt::format("  {:>9}  {:>6}  {}\n", ns_text(part, "mean_ns"), share_text(part),
                             name_of(text_of(part, "part"))));
  text.literal("\n");
}

void add_never(std::span<const Json> rules, std::size_t width, PrintedText& text) {
  Table table({"rule", "paranoia", "evaluated", "mean", "message"});
  for (const Json& rule : rules) {
    const bool timed = number_of(rule, "evaluations") > 0;
    table.add({std::to_string(number_of(rule, "rule")), std::to_string(number_of(rule, "paranoia")),
               timed ? grouped(number_of(rule, "evaluations")) : "-", timed ? ns_text(rule, "mean_ns") : "-",
               message_of(rule)});
  }
  table.print_to(text, width);
}

void add_rules(std::span<const Json> rules, std::size_t width, PrintedText& text) {
  Table table({"rule", "hits", "evaluated", "mean", "worst", "share", "message"});
  for (const Json& rule : rules) {
    const bool timed = number_of(rule, "evaluations") > 0;
    table.add({std::to_string(number_of(rule, "rule")), grouped(number_of(rule, "hits")),
               timed ? grouped(number_of(rule, "evaluations")) : "-", timed ? ns_text(rule, "mean_ns") : "-",
               timed ? ns_text(rule, "worst_ns") : "-", timed ? share_text(rule) : "-", message_of(rule)});
  }
  table.print_to(text, width);
}

// What the figures are taken from.
void add_notes(const Json& answer, const WafStatsOptions& options, PrintedText& text) {
  const std::int64_t never = number_of(answer, "never_matched"), log = number_of(answer, "log");
  if (never > 0 && !options.never) {
    text.literal(fmt::format("{} of the {} rules that log have never matched", grouped(never), grouped(log)));
    text.literal(": gatehouse waf stats --never\n");
  }
  text.literal(fmt::format("Time is taken in a sample, about one request in {} at random: {} of {} so far.",
                           number_of(answer, "one_in"), grouped(number_of(answer, "timed")),
                           count_text(number_of(answer, "requests"), "request", "requests")));
  text.literal(options.never ? " evaluated and mean are of these.\n"
                             : " evaluated, mean, worst and share are of these.\n");
  if (const std::int64_t interrupted = number_of(answer, "interrupted"); interrupted > 0)
    text.literal(fmt::format("Left out: {} in whose course the processor was taken away.\n",
                             count_text(interrupted, "evaluation", "evaluations")));
}

// "2025-06-15T15:07:10.000000Z" to the second.
std::string since_text(const Json& answer) {
  std::string text = printable(text_of(answer, "since").substr(0, 19));
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text + " UTC";
}

// Of a terminal; 0: of anything else, whose lines may be as long as they are.
std::size_t width_of_output() {
  winsize size{};
  if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

Result<std::string> waf_stats_text(std::string_view answer, const WafStatsOptions& options, std::size_t width,
                                   bool colour) {
  const auto parsed = Json::parse(answer, kReplyLimits);
  if (!parsed || parsed->find("rules") == nullptr || parsed->find("parts") == nullptr)
    return fail(ErrorCode::invalid, "the answer is not from a gatehouse admin API");
  const std::span<const Json> rules = list_of(*parsed, "rules");
  PrintedText text(colour);
  text.literal(count_text(number_of(*parsed, "requests"), "request", "requests"));
  text.literal(fmt::format(" inspected since {}, ", since_text(*parsed)));
  text.literal(count_text(number_of(*parsed, "in_force"), "rule", "rules")).literal(" in force\n");
  if (number_of(*parsed, "in_force") == 0) text.literal("No route is inspected: waf.mode is off on all of them.\n");
  text.literal("\n");
  if (options.by == "cost" && !options.never && number_of(*parsed, "timed") > 0) add_parts(*parsed, text);
  if (rules.empty()) {
    text.literal(options.never          ? "There is none that never matched.\n"
                 : options.by == "cost" ? "No request has been timed yet.\n"
                                        : "No rule that logs has matched yet.\n");
  } else if (options.never) {
    add_never(rules, width, text);
  } else {
    add_rules(rules, width, text);
  }
  text.literal("\n");
  add_notes(*parsed, options, text);
  return text.text();
}

int run_waf_stats(const AdminTarget& target, const WafStatsOptions& options, bool json) {
  int code = kDone;
  const auto reply = admin_call(target, "GET",
                                fmt::format("/v1/waf/stats?by={}&limit={}&never={}&all={}", options.by, options.limit,
                                            options.never, options.all));
  if (!expect_json(target, reply, code)) return code;
  if (json) return print_raw(*reply);
  const auto text = waf_stats_text(reply->body, options, width_of_output(), in_colour());
  if (!text) return complain(text.error().message);
  print(*text);
  return kDone;
}

}  // namespace gatehouse::app
