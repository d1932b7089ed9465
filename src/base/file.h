#pragma once
// Whole small files: configuration, keys, certificates. Control threads only: these calls block.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse {

// Fails with `exhausted` when the file is larger than `bytes_max`, `not_found` when there is none.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = 16 * 1024 * 1024);

// Replaces the file as one step: whoever reads sees the old or the new bytes, never a mixture, a crash included.
// `mode` is given to the new file before anything is written into it, so that a secret is never readable in between.
Status write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode = 0644);

// For a file that is made once: another's that is there already, or appears meanwhile, stays (ErrorCode::conflict). As
// above, there is never half of it, and it is durable when this returns.
Status create_file_atomically(const std::string& path, std::string_view bytes, unsigned mode);

// The same for a file that a service reads under its own user, changed by an administrator's shell: owner and group
// stay those of the file that is replaced, or become those of its folder; `mode` is for a new file only.
Status replace_file(const std::string& path, std::string_view bytes, unsigned mode);

// What tells one version of a file from the next; all zero when there is none.
struct FileStamp {
  std::uint64_t inode = 0, size = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::string& path) noexcept;

// Makes the folder, with those above it, for us alone (0700). Root must be able to set the mode; for anybody else a
// folder that is there already is good as it is.
Status make_private_folder(const std::string& path);

}  // namespace gatehouse
