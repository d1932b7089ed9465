#pragma once
// What `gatehouse dev` prints once the shop is open: addresses, requests to paste, attacks to try.

#include <cstdint>
#include <string>

#include "app/dev/demo_people.h"

namespace gatehouse::app {

struct DemoText {
  std::string demo_dir, folder;
  std::uint16_t port = 0, application_port = 0;
  DemoPasswords passwords;
  std::string program;
  std::string dashboard;  // a link that signs in once
};
void print_demo_text(const DemoText& demo);

}  // namespace gatehouse::app
