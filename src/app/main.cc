#include "app/command_line.h"
#include "crypto/openssl_memory.h"

int main(int argc, char** argv) {
  gatehouse::crypto::use_block_pool();  // first of all: OpenSSL takes an allocator only while it has allocated nothing
  return gatehouse::app::run_command_line(argc, argv);
}
