#include "daemon/keeper/capabilities.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/kernel.h"

namespace berth::keeper {
namespace {

constexpr int kMostCapabilities = 64;

uint64_t bit(int capability) { return uint64_t{1} << capability; }

/// Those that the kernel knows are numbered without a gap.
bool drop_from_bounding_set(uint64_t kept) {
  for (int capability = 0; capability < kMostCapabilities; capability++) {
    const int has = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (has < 0) return true;  // there are no more
    if (has == 1 && (kept & bit(capability)) == 0 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return false;
  }
  return true;
}

bool set_inheritable(uint64_t inheritable, bool nothing_else) {
  kernel::CapabilityHeader header{kernel::kCapabilities, 0};
  kernel::CapabilityData data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  for (int half = 0; half < 2; half++) {
    data[half].inheritable = static_cast<uint32_t>(inheritable >> (32 * half));
    if (nothing_else) data[half].permitted = data[half].effective = data[half].inheritable;
  }
  return syscall(SYS_capset, &header, data) == 0;
}

}  // namespace

bool bound_capabilities(uint64_t bounding, uint64_t ambient) {
  if (bounding == kEveryCapability && ambient == 0) return true;
  // What is inheritable comes back by a file's capabilities, whatever the bounding set says.
  if (!set_inheritable(ambient, false) || !drop_from_bounding_set(bounding)) return false;
  return ambient == 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
}

bool give_capabilities(uint64_t ambient) {
  if (geteuid() == 0) return true;  // it has what its bounding set leaves
  if (!set_inheritable(ambient, true)) return false;
  for (int capability = 0; capability < kMostCapabilities; capability++)
    if ((ambient & bit(capability)) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return false;
  return true;
}

}  // namespace berth::keeper
