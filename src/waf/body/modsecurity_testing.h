#pragma once
// The second opinion of the body processors' tests: what libmodsecurity 3 sees in one request. Tests only.

#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::waf {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // sorted

class ModSecurity {
 public:
  struct Request {
    std::string target = "/";
    std::string content_type;
    std::string cookie;
    std::string body;
    std::string processor;  // JSON or XML: what a rule would have selected
  };

  ModSecurity() {
    library_.setServerLogCb(&ModSecurity::on_match, modsecurity::RuleMessageLogProperty);
    rules_ = std::make_unique<modsecurity::RulesSet>();
    // The engine is on for the rules below; nothing is denied.
    const char* text = R"(
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 134217728
SecRule REQUEST_HEADERS:X-Processor "@streq JSON" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:X-Processor "@streq XML" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule XML:/* "@rx (?s)^(.*)$" "id:3,phase:2,pass,log,capture,t:none,t:hexEncode,logdata:'%{TX.0}'"
SecRule XML://@* "@rx (?s)^(.*)$" "id:4,phase:2,pass,log,capture,t:none,t:hexEncode,logdata:'%{TX.0}'"
)";
    if (rules_->load(text) < 0) load_error_ = rules_->getParserError();
  }

  const std::string& load_error() const { return load_error_; }

  // A transaction after phase 2: its public members are the variables.
  std::unique_ptr<modsecurity::Transaction> read(const Request& request) {
    xml_text_.clear();
    xml_attributes_.clear();
    auto transaction = std::make_unique<modsecurity::Transaction>(&library_, rules_.get(), this);
    transaction->processConnection("127.0.0.1", 1, "127.0.0.1", 80);
    transaction->processURI(request.target.c_str(), "POST", "1.1");
    if (!request.content_type.empty()) add_header(*transaction, "Content-Type", request.content_type);
    if (!request.cookie.empty()) add_header(*transaction, "Cookie", request.cookie);
    if (!request.processor.empty()) add_header(*transaction, "X-Processor", request.processor);
    transaction->processRequestHeaders();
    transaction->appendRequestBody(reinterpret_cast<const unsigned char*>(request.body.data()), request.body.size());
    transaction->processRequestBody();
    return transaction;
  }

  const std::vector<std::string>& xml_text() const { return xml_text_; }
  const std::vector<std::string>& xml_attributes() const { return xml_attributes_; }

  static Pairs pairs(const modsecurity::AnchoredSetVariable& variable) {
    Pairs out;
    for (const auto& [key, value] : variable) out.emplace_back(key, value->getValue());
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  static void add_header(modsecurity::Transaction& transaction, std::string_view name, const std::string& value) {
    transaction.addRequestHeader(reinterpret_cast<const unsigned char*>(name.data()), name.size(),
                                 reinterpret_cast<const unsigned char*>(value.data()), value.size());
  }

  static std::string unhex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
      out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
  }

  static void on_match(void* self, const void* message) {
    auto* me = static_cast<ModSecurity*>(self);
    const auto* match = static_cast<const modsecurity::RuleMessage*>(message);
    if (match->m_ruleId == 3) me->xml_text_.push_back(unhex(match->m_data));
    if (match->m_ruleId == 4) me->xml_attributes_.push_back(unhex(match->m_data));
  }

  modsecurity::ModSecurity library_;
  std::unique_ptr<modsecurity::RulesSet> rules_;
  std::string load_error_;
  std::vector<std::string> xml_text_, xml_attributes_;
};

// One per process: making it loads rules.
inline ModSecurity& modsecurity_oracle() {
  static ModSecurity oracle;
  return oracle;
}

// Ours in the same form.
template <class Values>
Pairs pairs_of(const Values& values) {
  Pairs out;
  for (const auto& value : values) out.emplace_back(value.name, value.value);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gatehouse::waf
