#include "crypto/argon2_memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace gatehouse::crypto {
namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;

struct OfThread {
  bool inside = false;
  std::size_t mappings = 0;
};
constinit thread_local OfThread of_thread;

}  // namespace

Argon2Memory::Argon2Memory() noexcept { of_thread.inside = true; }
Argon2Memory::~Argon2Memory() { of_thread.inside = false; }
std::size_t Argon2Memory::mappings() noexcept { return of_thread.mappings; }

// A sanitizer has an mmap of its own, which has to be the one that is called.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

void* kernel_mmap(void* where, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
  // What the kernel gives is an address, as a number.
  return reinterpret_cast<void*>(::syscall(SYS_mmap, where, size, protection, flags, file, offset));
}

// `size` bytes that begin where a large page can; nothing is mapped before or behind them, so that munmap of what was
// asked for leaves nothing.
void* map_large_pages(std::size_t size, int protection, int flags) noexcept {
  const std::size_t whole = size + kLargePage;
  void* mapped = kernel_mmap(nullptr, whole, protection, flags & ~MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) return MAP_FAILED;
  const auto begin = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t at = (begin + kLargePage - 1) & ~(kLargePage - 1);
  if (at > begin) ::munmap(mapped, at - begin);
  ::munmap(reinterpret_cast<void*>(at + size), begin + whole - (at + size));
  ::madvise(reinterpret_cast<void*>(at), size, MADV_HUGEPAGE);  // refused where there are none
  ++of_thread.mappings;
  return reinterpret_cast<void*>(at);
}

}  // namespace
#endif

}  // namespace gatehouse::crypto

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// In place of the C library's for the whole program, itself through its own calls excepted.
extern "C" void* mmap(void* where, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
  using namespace gatehouse::crypto;
  if (of_thread.inside && where == nullptr && file == -1 && (flags & MAP_POPULATE) != 0 && size >= kLargePage) {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return map_large_pages((size + page - 1) & ~(page - 1), protection, flags);
  }
  return kernel_mmap(where, size, protection, flags, file, offset);
}
#endif
