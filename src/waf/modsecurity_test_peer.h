#pragma once
// libmodsecurity as the tests' second opinion: whole transactions, its body processors, and its transformations and
// operators by themselves, without a request.
//
// The library exports the factory of transformations but installs no header for it: the declaration here is what the
// linker needs. An operator comes from a rule that is loaded, and is asked about one value after the other.

#include <modsecurity/actions/action.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rule_with_operator.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waf/regression/raw_request.h"

namespace modsecurity::actions::transformations {
struct Transformation : Action {
  static Transformation* instantiate(std::string name);
};
}  // namespace modsecurity::actions::transformations

namespace gatehouse::waf {

class ModSecurityPeer {
 public:
  ModSecurityPeer() : transaction_(&engine_, &rules_, nullptr) {}

  // `t:urlDecodeUni` of `value`.
  std::string transform(std::string_view name, std::string_view value) {
    return evaluate(*action(name), std::string(value));
  }
  // The same in two steps.
  static std::unique_ptr<modsecurity::actions::Action> action(std::string_view name) {
    return std::unique_ptr<modsecurity::actions::Action>(
        modsecurity::actions::transformations::Transformation::instantiate("t:" + std::string(name)));
  }
  std::string evaluate(modsecurity::actions::Action& action, const std::string& value) {
    return action.evaluate(value, &transaction_);
  }

 private:
  modsecurity::ModSecurity engine_;
  modsecurity::RulesSet rules_;
  modsecurity::Transaction transaction_;
};

// `SecRule ARGS "@rx foo"`: neither part may hold a double quote or a line's end, and a backslash escapes as in
// SecLang.
class ModSecurityOperator {
 public:
  ModSecurityOperator(std::string_view name, std::string_view argument) {
    const std::string rule = "SecRule ARGS \"@" + std::string(name) + " " + std::string(argument) +
                             "\" \"id:1,phase:2,pass,nolog,capture\"\n";
    if (rules_.load(rule.c_str()) < 0) {
      error_ = rules_.getParserError();
      return;
    }
    constexpr int kPhaseOfRequestBody = 3;  // as the library counts them
    rule_ =
        std::dynamic_pointer_cast<modsecurity::RuleWithOperator>(rules_.m_rulesSetPhases[kPhaseOfRequestBody]->at(0));
  }

  const std::string& error() const noexcept { return error_; }  // empty: the rule was accepted

  bool matches(std::string_view value) { return match(value).first; }
  // Whether it matched, and `TX:0` to `TX:9`.
  std::pair<bool, std::vector<std::optional<std::string>>> match(std::string_view value) {
    modsecurity::Transaction transaction(&engine_, &rules_, nullptr);
    const auto message = std::make_shared<modsecurity::RuleMessage>(rule_.get(), &transaction);
    const bool matched = rule_->executeOperatorAt(&transaction, "ARGS:a", std::string(value), message);
    std::vector<std::optional<std::string>> captures;
    for (int i = 0; i < 10; ++i) {
      const auto capture = transaction.m_collections.m_tx_collection->resolveFirst(std::to_string(i));
      captures.push_back(capture ? std::optional(*capture) : std::nullopt);
    }
    return {matched, captures};
  }

 private:
  modsecurity::ModSecurity engine_;
  modsecurity::RulesSet rules_;
  std::shared_ptr<modsecurity::RuleWithOperator> rule_;
  std::string error_;
};

// A rule set, and what the library does with one request and its response under it.
class ModSecurityRules {
 public:
  // The library prints what nobody takes.
  ModSecurityRules() {
    engine_.setServerLogCb([](void*, const void*) {}, modsecurity::RuleMessageLogProperty);
  }
  // `file` is what relative names in the text are relative to. False: see `error`.
  bool load(const std::string& text, const std::string& file) { return rules_.load(text.c_str(), file) >= 0; }
  std::string error() { return rules_.getParserError(); }

  // Runs all phases; ids of the rules that matched and are logged are in the transaction's `m_rulesMessages`.
  std::unique_ptr<modsecurity::Transaction> run(const RawRequest& request, const RawResponse* response,
                                                const char* address = "127.0.0.1") {
    auto transaction = std::make_unique<modsecurity::Transaction>(&engine_, &rules_, nullptr);
    transaction->processConnection(address, 1, "127.0.0.1", 80);
    const std::size_t slash = request.protocol.find('/');
    const std::string version = slash == std::string::npos ? request.protocol : request.protocol.substr(slash + 1);
    transaction->processURI(request.uri.c_str(), request.method.c_str(), version.c_str());
    for (const auto& [name, value] : request.headers)
      transaction->addRequestHeader(bytes(name), name.size(), bytes(value), value.size());
    transaction->processRequestHeaders();
    if (!request.body.empty()) transaction->appendRequestBody(bytes(request.body), request.body.size());
    transaction->processRequestBody();
    if (response != nullptr) {
      for (const auto& [name, value] : response->headers)
        transaction->addResponseHeader(bytes(name), name.size(), bytes(value), value.size());
      transaction->processResponseHeaders(response->status, request.protocol);
      if (!response->body.empty()) transaction->appendResponseBody(bytes(response->body), response->body.size());
      transaction->processResponseBody();
    }
    transaction->processLogging();
    return transaction;
  }

 private:
  static const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }

  modsecurity::ModSecurity engine_;
  modsecurity::RulesSet rules_;
};

// What its body processors find in one body, and its parser in a cookie.
class ModSecurityBodies {
 public:
  struct Request {
    std::string content_type, cookie, body;
    std::string processor{};  // JSON or XML: what a rule would have selected
  };

  ModSecurityBodies() {
    // The engine is on for the rules below; nothing is denied.
    loaded_ = rules_.load(R"(
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 134217728
SecRule REQUEST_HEADERS:X-Processor "@streq JSON" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:X-Processor "@streq XML" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule XML:/* "@rx (?s)^(.*)$" "id:3,phase:2,pass,log,capture,t:none,t:hexEncode,logdata:'%{TX.0}'"
SecRule XML://@* "@rx (?s)^(.*)$" "id:4,phase:2,pass,log,capture,t:none,t:hexEncode,logdata:'%{TX.0}'"
)",
                          "bodies.conf");
  }
  bool is_loaded() const noexcept { return loaded_; }

  // Its public members are the variables.
  std::unique_ptr<modsecurity::Transaction> read(const Request& request) {
    RawRequest raw{"POST", "/", "HTTP/1.1", {}, request.body};
    const auto add = [&raw](const char* name, const std::string& value) {
      if (!value.empty()) raw.headers.emplace_back(name, value);
    };
    add("Content-Type", request.content_type);
    add("Cookie", request.cookie);
    add("X-Processor", request.processor);
    return rules_.run(raw, nullptr);
  }
  // The text that rules saw, and the attributes' values.
  static std::vector<std::string> xml_text(const modsecurity::Transaction& transaction) {
    return data_of(transaction, 3);
  }
  static std::vector<std::string> xml_attributes(const modsecurity::Transaction& transaction) {
    return data_of(transaction, 4);
  }

 private:
  static std::vector<std::string> data_of(const modsecurity::Transaction& transaction, int rule) {
    std::vector<std::string> result;
    for (const auto& message : transaction.m_rulesMessages) {
      if (message.m_ruleId == rule) result.push_back(unhex(message.m_data));
    }
    return result;
  }
  static std::string unhex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
      out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
  }

  ModSecurityRules rules_;
  bool loaded_ = false;
};

// One per process: making it loads rules.
inline ModSecurityBodies& modsecurity_bodies() {
  static ModSecurityBodies bodies;
  return bodies;
}

// Values with their names, sorted: ours and the library's.
using Pairs = std::vector<std::pair<std::string, std::string>>;

inline Pairs pairs_of(const modsecurity::AnchoredSetVariable& variable) {
  Pairs out;
  for (const auto& [name, value] : variable) out.emplace_back(name, value->getValue());
  std::sort(out.begin(), out.end());
  return out;
}
template <class Values>
Pairs pairs_of(const Values& values) {
  Pairs out;
  for (const auto& value : values) out.emplace_back(value.name, value.value);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gatehouse::waf
