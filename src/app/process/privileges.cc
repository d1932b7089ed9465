#include "app/process/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

namespace gatehouse::app {
namespace {

// Nothing a gateway does needs these; each has been a step in somebody's privilege escalation or escape. They fail with
// EPERM instead of killing, so that a library that probes for one goes on. execve stays: it replaces the binary on
// SIGUSR2, with no_new_privs set.
constexpr std::array kForbidden = {
    SCMP_SYS(acct),
    SCMP_SYS(add_key),
    SCMP_SYS(bpf),
    SCMP_SYS(chroot),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(clock_settime),
    SCMP_SYS(delete_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(init_module),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(ioperm),
    SCMP_SYS(iopl),
    SCMP_SYS(kcmp),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(kexec_load),
    SCMP_SYS(keyctl),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(mbind),
    SCMP_SYS(migrate_pages),
    SCMP_SYS(mount),
    SCMP_SYS(move_mount),
    SCMP_SYS(move_pages),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(nfsservctl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(open_tree),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(personality),
    SCMP_SYS(pivot_root),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(ptrace),
    SCMP_SYS(quotactl),
    SCMP_SYS(reboot),
    SCMP_SYS(request_key),
    SCMP_SYS(setdomainname),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(sethostname),
    SCMP_SYS(setns),
    SCMP_SYS(settimeofday),
    SCMP_SYS(stime),
    SCMP_SYS(swapoff),
    SCMP_SYS(swapon),
    SCMP_SYS(sysfs),
    SCMP_SYS(syslog),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(uselib),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(vhangup),
};

Status install_filter() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return fail(ErrorCode::internal, "seccomp_init failed");
  int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  for (const int call : kForbidden) {
    // A pseudo-number below zero stands for a call that this architecture doesn't have.
    if (error == 0 && call >= 0) error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  // Sockets for people's protocols only: no raw, packet, netlink-configured or exotic families.
  for (const int family : {AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH, AF_CAN, AF_TIPC, AF_RDS}) {
    if (error == 0) {
      error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                               SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
    }
  }
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  if (error != 0) {
    errno = -error;
    return fail_errno("installing the system call filter");
  }
  return {};
}

Status drop_capabilities() {
  // The bounding set first, while we may; without CAP_SETPCAP it is fenced by no_new_privs anyway.
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const cap_t none = cap_init();
  const int result = cap_set_proc(none);
  cap_free(none);
  if (result != 0) return fail_errno("dropping capabilities");
  return {};
}

}  // namespace

std::string unprivileged_user(const std::string& configured) {
  if (::geteuid() != 0) return {};
  if (!configured.empty()) return configured;
  return ::getpwnam("gatehouse") != nullptr ? "gatehouse" : "nobody";
}

Status hand_over(const std::string& path, const std::string& user) {
  if (::geteuid() != 0 || user.empty()) return {};
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr)
    return fail(ErrorCode::not_found, fmt::format("user {} does not exist", user), ErrorSource::configuration);
  const auto give = [&](const std::string& what) { return ::lchown(what.c_str(), entry->pw_uid, entry->pw_gid) == 0; };
  if (!give(path)) return fail_errno(fmt::format("chown {}", path));
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return {};
  for (auto at = std::filesystem::recursive_directory_iterator(path, error); !error && at != std::filesystem::end(at);
       at.increment(error)) {
    if (!give(at->path())) return fail_errno(fmt::format("chown {}", at->path().string()));
  }
  return {};
}

Result<PrivilegeReport> drop_privileges(const std::string& user, bool sandbox) {
  PrivilegeReport report;
  if (const std::string name = unprivileged_user(user); !name.empty()) {
    const passwd* entry = ::getpwnam(name.c_str());
    if (entry == nullptr) {
      return fail(ErrorCode::not_found, fmt::format("process.user: user {} does not exist", name),
                  ErrorSource::configuration);
    }
    if (entry->pw_uid == 0) {
      return fail(ErrorCode::invalid, "process.user: the gateway does not serve as root", ErrorSource::configuration);
    }
    const uid_t uid = entry->pw_uid;
    const gid_t gid = entry->pw_gid;
    if (::initgroups(name.c_str(), gid) != 0) return fail_errno("initgroups");
    if (::setresgid(gid, gid, gid) != 0) return fail_errno("setresgid");
    for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (::setresuid(uid, uid, uid) != 0) return fail_errno("setresuid");
    report.dropped = true;
  }
  if (const passwd* entry = ::getpwuid(::geteuid())) report.user = entry->pw_name;
  if (auto dropped = drop_capabilities(); !dropped) return tl::unexpected(dropped.error());
  // Core dumps would hold keys and tokens.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("no_new_privs");
  report.no_new_privs = true;
  if (sandbox) {
    if (auto installed = install_filter(); !installed) return tl::unexpected(installed.error());
    report.seccomp = true;
  }
  return report;
}

std::size_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace gatehouse::app
