#pragma once
// Large pages for what Argon2 works on (decision 0015).
//
// libsodium maps the memory of each computation anew and has the kernel fill it in pages of 4 KiB: half of the time of
// a computation, all of it inside the kernel, where a thread that waits for the processor waits longest. In pages of
// 2 MiB the same takes a tenth. The library has no hook for its memory, so its call of mmap is answered here: only on a
// thread that is inside an Argon2Memory, only for what is mapped to be filled at once; every other call goes to the
// kernel as it is. Where there are no large pages, small ones are used, as before.

#include <cstddef>

namespace gatehouse::crypto {

// For as long as it lives, this thread's large mappings have large pages. Does not nest.
class Argon2Memory {
 public:
  Argon2Memory() noexcept;
  Argon2Memory(const Argon2Memory&) = delete;
  Argon2Memory& operator=(const Argon2Memory&) = delete;
  ~Argon2Memory();

  // How many mappings of this thread were given large pages so far.
  static std::size_t mappings() noexcept;
};

}  // namespace gatehouse::crypto
