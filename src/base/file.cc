#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace gatehouse {
namespace {

struct Descriptor {
  explicit Descriptor(int number) noexcept : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

bool write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

struct Ownership {
  uid_t uid;
  gid_t gid;
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

enum class Name : std::uint8_t { replace, take };  // of a file that may be there: take refuses

// In the same folder as `path`: rename and link are atomic only within one file system.
Status write_beside_and_name(const std::string& path, std::string_view bytes, unsigned mode, const Ownership* ownership,
                             Name name) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.fd < 0) return fail_errno(path);
  const auto abandon = [&](std::string_view doing) {
    auto error = fail_errno(fmt::format("{} {}", doing, temporary));
    ::unlink(temporary.c_str());
    return error;
  };
  if (ownership && ::fchown(file.fd, ownership->uid, ownership->gid) != 0) return abandon("chown");
  if (::fchmod(file.fd, mode) != 0) return abandon("chmod");
  if (!write_all(file.fd, bytes)) return abandon("write");
  if (::fsync(file.fd) != 0) return abandon("fsync");
  if (name == Name::replace) {
    if (::rename(temporary.c_str(), path.c_str()) != 0) return abandon("rename");
  } else {
    const int linked = ::link(temporary.c_str(), path.c_str());
    const int why = errno;
    if (linked != 0 && why == EEXIST) {
      ::unlink(temporary.c_str());
      return fail(ErrorCode::conflict, fmt::format("{} is there already", path), ErrorSource::system);
    }
    if (linked != 0) return abandon("link");
    ::unlink(temporary.c_str());
  }
  // The new name is durable once its folder is.
  const std::string folder = folder_of(path);
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd < 0 || ::fsync(directory.fd) != 0) return fail_errno(folder);
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return fail_errno(path);
  std::string bytes;
  struct stat info;
  if (::fstat(file.fd, &info) == 0 && info.st_size > 0) bytes.reserve(std::min<std::size_t>(info.st_size, bytes_max));
  char block[64 * 1024];
  for (;;) {
    const ssize_t got = ::read(file.fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(path);
    if (got == 0) return bytes;
    bytes.append(block, static_cast<std::size_t>(got));
    if (bytes.size() > bytes_max) {
      return fail(ErrorCode::exhausted, fmt::format("{}: larger than {} bytes", path, bytes_max), ErrorSource::system);
    }
  }
}

Status write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode) {
  return write_beside_and_name(path, bytes, mode, nullptr, Name::replace);
}

Status create_file_atomically(const std::string& path, std::string_view bytes, unsigned mode) {
  return write_beside_and_name(path, bytes, mode, nullptr, Name::take);
}

Status replace_file(const std::string& path, std::string_view bytes, unsigned mode) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    mode = info.st_mode & 07777;
  } else if (::stat(folder_of(path).c_str(), &info) != 0) {
    return fail_errno(path);
  }
  // Only the superuser gives files away; for anybody else the file is theirs already, or will be.
  const Ownership ownership{info.st_uid, info.st_gid};
  const bool differs = info.st_uid != ::geteuid() || info.st_gid != ::getegid();
  return write_beside_and_name(path, bytes, mode, differs && ::geteuid() == 0 ? &ownership : nullptr, Name::replace);
}

FileStamp stamp_of(const std::string& path) noexcept {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_ino, static_cast<std::uint64_t>(info.st_size),
          info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

Status make_private_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", path, error.message()), ErrorSource::system);
  if (::chmod(path.c_str(), 0700) != 0 && ::geteuid() == 0) return fail_errno("chmod " + path);
  return {};
}

}  // namespace gatehouse
