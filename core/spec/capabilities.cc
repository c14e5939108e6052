#include "core/spec/capabilities.h"

#include <algorithm>
#include <array>

#include <linux/capability.h>

namespace berth::spec {
namespace {

// By number, as capabilities(7) lists them.
constexpr std::array<std::string_view, 41> kCapabilities{
    "CAP_CHOWN",      "CAP_DAC_OVERRIDE",  "CAP_DAC_READ_SEARCH", "CAP_FOWNER",          "CAP_FSETID",           "CAP_KILL",         "CAP_SETGID",
    "CAP_SETUID",     "CAP_SETPCAP",       "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",  "CAP_NET_ADMIN",    "CAP_NET_RAW",
    "CAP_IPC_LOCK",   "CAP_IPC_OWNER",     "CAP_SYS_MODULE",      "CAP_SYS_RAWIO",       "CAP_SYS_CHROOT",       "CAP_SYS_PTRACE",   "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",  "CAP_SYS_BOOT",      "CAP_SYS_NICE",        "CAP_SYS_RESOURCE",    "CAP_SYS_TIME",         "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
    "CAP_LEASE",      "CAP_AUDIT_WRITE",   "CAP_AUDIT_CONTROL",   "CAP_SETFCAP",         "CAP_MAC_OVERRIDE",     "CAP_MAC_ADMIN",    "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",      "CAP_PERFMON",         "CAP_BPF",              "CAP_CHECKPOINT_RESTORE"};
static_assert(kCapabilities[CAP_NET_BIND_SERVICE] == "CAP_NET_BIND_SERVICE" && kCapabilities[CAP_SYS_RAWIO] == "CAP_SYS_RAWIO" &&
              kCapabilities[CAP_MKNOD] == "CAP_MKNOD" && kCapabilities[CAP_SYSLOG] == "CAP_SYSLOG" && kCapabilities[CAP_CHECKPOINT_RESTORE] == "CAP_CHECKPOINT_RESTORE");

std::uint64_t bit_of(int capability) { return std::uint64_t{1} << capability; }

}  // namespace

std::optional<int> capability(std::string_view word) {
  const auto found = std::ranges::find(kCapabilities, word);
  return found == kCapabilities.end() ? std::nullopt : std::optional(static_cast<int>(found - kCapabilities.begin()));
}

std::vector<std::string> capability_words() { return {kCapabilities.begin(), kCapabilities.end()}; }

std::uint64_t capability_mask(const std::vector<std::string>& words) {
  std::uint64_t mask = 0;
  for (const std::string& word : words)
    if (const auto number = capability(word)) mask |= bit_of(*number);
  return mask;
}

std::uint64_t bounding_set(const Sandbox& sandbox, bool is_root) {
  const std::uint64_t ambient = capability_mask(sandbox.ambient_capabilities);
  std::uint64_t set = is_root ? kAllCapabilities : ambient;
  if (sandbox.capability_bounding_set) set = capability_mask(*sandbox.capability_bounding_set);
  if (sandbox.private_devices) set &= ~(bit_of(CAP_MKNOD) | bit_of(CAP_SYS_RAWIO));
  return set;
}

}  // namespace berth::spec
