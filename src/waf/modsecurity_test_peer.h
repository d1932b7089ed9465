#pragma once
// libmodsecurity as the tests' second opinion: its transformations and operators by themselves, without a request.
//
// The library exports the two factories but installs no header for them; the declarations here are what the linker and
// the vtables need, checked by the tests' first lines (a known result of each).

#include <modsecurity/actions/action.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <memory>
#include <string>
#include <string_view>

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
    const std::unique_ptr<modsecurity::actions::Action> action(
        modsecurity::actions::transformations::Transformation::instantiate("t:" + std::string(name)));
    return action->evaluate(std::string(value), &transaction_);
  }

 private:
  modsecurity::ModSecurity engine_;
  modsecurity::RulesSet rules_;
  modsecurity::Transaction transaction_;
};

}  // namespace gatehouse::waf
