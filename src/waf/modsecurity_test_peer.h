#pragma once
// libmodsecurity as the tests' second opinion: whole transactions, and its transformations and operators by themselves,
// without a request.
//
// The library exports the factory of transformations but installs no header for it: the declaration here is what the
// linker needs. An operator comes from a rule that is loaded, and is asked about one value after the other.

#include <modsecurity/actions/action.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rule_with_operator.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

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

}  // namespace gatehouse::waf
