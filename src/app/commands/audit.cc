#include "app/commands/audit.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "app/commands/admin_output.h"
#include "audit/log_reader.h"
#include "audit/proof.h"
#include "audit/verify.h"
#include "base/file.h"
#include "codec/json_writer.h"

namespace gatehouse::app {
namespace {

constexpr int kVerified = 0, kTampered = 1, kUnusable = 2;
constexpr std::uint64_t kTailMax = 100'000;
constexpr auto kFollowPause = std::chrono::milliseconds(500);

int code_of(audit::Verdict verdict) noexcept {
  switch (verdict) {
    case audit::Verdict::verified: return kVerified;
    case audit::Verdict::tampered: return kTampered;
    case audit::Verdict::unusable: return kUnusable;
  }
  return kUnusable;
}

audit::Verdict verdict_of(const Error& error) noexcept {
  return error.code == ErrorCode::denied ? audit::Verdict::tampered : audit::Verdict::unusable;
}

// The key itself, or a file that holds it.
Result<audit::NoteVerifier> key_of(const std::string& key) {
  if (key.find('+') != std::string::npos) {
    if (auto verifier = audit::NoteVerifier::parse(key)) return verifier;
  }
  const auto text = read_file(key, 4096);
  if (!text) return fail(ErrorCode::invalid, fmt::format("--key {}: neither a key nor a file with one", key));
  auto verifier = audit::NoteVerifier::parse(*text);
  if (!verifier) return tl::unexpected(std::move(verifier.error()).while_(key));
  return verifier;
}

void member(codec::JsonWriter& json, std::string_view name, std::string_view value) {
  json.raw(",");
  json.string(name);
  json.raw(":");
  json.string(value);
}
void member(codec::JsonWriter& json, std::string_view name, std::uint64_t value) {
  json.raw(",");
  json.string(name);
  json.raw(":");
  json.number(value);
}

void print_verdict(audit::Verdict verdict, std::string_view reason, bool as_json) {
  if (as_json) {
    std::string text;
    codec::JsonWriter json(text);
    json.raw("{\"verdict\":");
    json.string(name_of(verdict));
    member(json, "reason", reason);
    json.raw("}\n");
    json.flush();
    print(text);
    return;
  }
  PrintedText text(in_colour());
  text.bad(name_of(verdict)).literal(": ").add(reason).literal("\n").print_out();
}

int tell(const Error& error, bool as_json) {
  print_verdict(verdict_of(error), error.message, as_json);
  return code_of(verdict_of(error));
}

int verify_proof_file(const AuditOptions& options, const audit::NoteVerifier& verifier) {
  const auto bytes = read_file(options.path, audit::kProofBytesMax);
  if (!bytes) return tell(bytes.error(), options.json);
  const auto proof = audit::parse_proof(*bytes);
  if (!proof) return tell(proof.error(), options.json);
  const auto checkpoint = check_proof(*proof, verifier);
  if (!checkpoint) return tell(checkpoint.error(), options.json);
  if (options.json) {
    std::string text;
    codec::JsonWriter json(text);
    json.raw("{\"verdict\":\"verified\"");
    member(json, "entry", proof->index);
    member(json, "size", checkpoint->size);
    member(json, "root", audit::base64_of(checkpoint->root));
    member(json, "origin", checkpoint->origin);
    member(json, "leaf", proof->entry);
    json.raw("}\n");
    json.flush();
    print(text);
  } else {
    PrintedText text(in_colour());
    text.good("verified").literal(": entry ").literal(std::to_string(proof->index)).literal(" is in the log of ");
    text.literal(std::to_string(checkpoint->size)).literal(" entries that ").add(checkpoint->origin);
    text.literal(" signed\n").add(proof->entry).literal("\n").print_out();
  }
  return kVerified;
}

void print_report(const audit::VerifyReport& report, bool as_json) {
  if (report.verdict != audit::Verdict::verified) {
    print_verdict(report.verdict, report.reason, as_json);
    return;
  }
  if (as_json) {
    std::string text;
    codec::JsonWriter json(text);
    json.raw("{\"verdict\":\"verified\"");
    member(json, "origin", report.checkpoint.origin);
    member(json, "size", report.checkpoint.size);
    member(json, "root", audit::base64_of(report.checkpoint.root));
    member(json, "journal", report.journal);
    member(json, "unfinished_bytes", report.unfinished);
    if (report.since) member(json, "since", report.since->size);
    json.raw("}\n");
    json.flush();
    print(text);
    return;
  }
  PrintedText text(in_colour());
  text.good("verified").literal(fmt::format(": {} entries", report.checkpoint.size + report.journal));
  if (report.journal > 0) text.literal(fmt::format(", {} of them not yet published", report.journal));
  text.literal("\n  log    ").add(report.checkpoint.origin);
  text.literal(fmt::format("\n  root   {} of {}\n", audit::base64_of(report.checkpoint.root), report.checkpoint.size));
  if (report.since) text.literal(fmt::format("  since  it continues the checkpoint of {}\n", report.since->size));
  if (report.unfinished > 0) {
    text.literal(fmt::format("  note   a crash cut off a batch of {} bytes, which was never said to be durable\n",
                             report.unfinished));
  }
  text.print_out();
}

// The entry with its proof, which holds: under the log's own checkpoint.
Result<audit::EntryProof> proof_of(const AuditOptions& options) {
  const auto verifier = key_of(options.key);
  if (!verifier) return tl::unexpected(verifier.error());
  const auto note = audit::system_files().read(options.path + "/checkpoint", audit::kNoteBytesMax);
  if (!note) return tl::unexpected(note.error());
  const auto checkpoint = verifier->open(*note);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  if (options.index >= checkpoint->size) {
    return fail(
        ErrorCode::invalid,
        fmt::format("the last checkpoint has {} entries, and the first of them is 0: there is no entry {} in it; "
                    "one that has just been written is in the next",
                    checkpoint->size, options.index));
  }
  audit::TileReader reader(audit::system_files(), options.path, checkpoint->size);
  auto proof = prove_entry(reader, options.index, *note);
  if (!proof) return proof;
  if (const auto held = check_proof(*proof, *verifier); !held) return tl::unexpected(held.error());
  return proof;
}

void print_entry(std::string_view leaf, bool as_json) {
  if (as_json) {
    print(leaf);
    print("\n");
    return;
  }
  const auto entry = codec::Json::parse(leaf);
  PrintedText text(in_colour());
  if (!entry) {
    text.add(leaf).literal("\n").print_out();
    return;
  }
  text.literal(fmt::format("{:>8}  ", number_of(*entry, "sequence"))).add(text_of(*entry, "time")).literal("  ");
  text.strong(text_of(*entry, "action")).literal("  ");
  const std::string_view outcome = text_of(*entry, "outcome");
  (outcome == "ok" ? text.good(outcome) : text.bad(outcome)).literal("  ").add(text_of(*entry, "actor"));
  if (!text_of(*entry, "target").empty()) text.literal(" -> ").add(text_of(*entry, "target"));
  if (const codec::Json* details = entry->find("details")) {
    for (std::size_t i = 0; i < details->size(); ++i) {
      text.literal("  ").add(details->name(i)).literal("=").add(details->value(i).string().value_or(""));
    }
  }
  text.literal("\n").print_out();
}

}  // namespace

int run_audit_verify(const AuditOptions& options) {
  const auto verifier = key_of(options.key);
  if (!verifier) return tell(verifier.error(), options.json);
  std::error_code error;
  if (std::filesystem::is_regular_file(options.path, error)) return verify_proof_file(options, *verifier);
  std::optional<std::string> since;
  if (!options.since.empty()) {
    auto note = read_file(options.since, audit::kNoteBytesMax);
    if (!note) return tell(note.error(), options.json);
    since = std::move(*note);
  }
  const auto report = verify_log(audit::system_files(), options.path, *verifier, since);
  print_report(report, options.json);
  return code_of(report.verdict);
}

int run_audit_prove(const AuditOptions& options) {
  const auto proof = proof_of(options);
  if (!proof) return tell(proof.error(), options.json);
  const auto checkpoint = audit::parse_checkpoint(proof->note);
  if (options.json) {
    std::string text;
    codec::JsonWriter json(text);
    json.raw("{\"verdict\":\"verified\"");
    member(json, "entry", proof->index);
    member(json, "leaf", proof->entry);
    member(json, "leaf_hash", audit::base64_of(audit::leaf_hash(proof->entry)));
    json.raw(",\"path\":[");
    for (std::size_t i = 0; i < proof->path.size(); ++i) {
      if (i > 0) json.raw(",");
      json.string(audit::base64_of(proof->path[i]));
    }
    json.raw("]");
    member(json, "size", checkpoint->size);
    member(json, "root", audit::base64_of(checkpoint->root));
    member(json, "checkpoint", proof->note);
    json.raw("}\n");
    json.flush();
    print(text);
    return kVerified;
  }
  PrintedText text(in_colour());
  text.add(proof->entry).literal("\n\n").good("verified");
  text.literal(fmt::format(": entry {} is in the log of {} entries that ", proof->index, checkpoint->size));
  text.add(checkpoint->origin).literal(" signed\n");
  text.literal(fmt::format("  leaf   {}\n", audit::base64_of(audit::leaf_hash(proof->entry))));
  for (const audit::Hash& hash : proof->path) text.literal(fmt::format("  path   {}\n", audit::base64_of(hash)));
  text.literal(fmt::format("  root   {}\n", audit::base64_of(checkpoint->root))).print_out();
  return kVerified;
}

int run_audit_export(const AuditOptions& options) {
  const auto proof = proof_of(options);
  if (!proof) return tell(proof.error(), options.json);
  const std::string text = write_proof(*proof);
  if (options.to.empty()) {
    print(text);
    return kVerified;
  }
  if (const Status wrote = write_file_atomically(options.to, text); !wrote) return tell(wrote.error(), options.json);
  if (options.json) {
    print_verdict(audit::Verdict::verified, "written to " + options.to, true);
  } else {
    std::printf("written to %s: gatehouse audit verify %s --key KEY\n", options.to.c_str(), options.to.c_str());
  }
  return kVerified;
}

int run_audit_tail(const AuditOptions& options) {
  auto range =
      audit::read_last_entries(audit::system_files(), options.path, std::min<std::uint64_t>(options.lines, kTailMax));
  if (!range) return tell(range.error(), options.json);
  for (;;) {
    for (const std::string& entry : range->entries) print_entry(entry, options.json);
    std::fflush(stdout);
    if (!options.follow || std::ferror(stdout) != 0) return kVerified;
    const std::uint64_t next = range->first + range->entries.size();
    std::this_thread::sleep_for(kFollowPause);
    range = audit::read_entries(audit::system_files(), options.path, next, kTailMax);
    if (!range) return tell(range.error(), options.json);
  }
}

}  // namespace gatehouse::app
