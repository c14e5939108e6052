#pragma once

// What the kernel's own headers say, which are not there for every libc.

#include <stddef.h>
#include <stdint.h>

namespace berth::keeper::kernel {

// mount_setattr(2), open_tree(2), move_mount(2), fsmount(2)
struct MountAttributes {
  uint64_t set, clear, propagation, user_namespace;
};
inline constexpr uint64_t kReadOnly = 1;          ///< MOUNT_ATTR_RDONLY
inline constexpr uint64_t kNoSetUid = 2, kNoDevices = 4, kNoExecution = 8;  ///< MOUNT_ATTR_NOSUID, _NODEV, _NOEXEC
inline constexpr unsigned kRecursive = 0x8000;    ///< AT_RECURSIVE
inline constexpr unsigned kEmptyPath = 0x1000;    ///< AT_EMPTY_PATH
inline constexpr unsigned kClone = 1;             ///< OPEN_TREE_CLONE
inline constexpr unsigned kFromFd = 4;            ///< MOVE_MOUNT_F_EMPTY_PATH
inline constexpr unsigned kToFd = 0x40;           ///< MOVE_MOUNT_T_EMPTY_PATH
inline constexpr unsigned kCloseOnExec = 1;       ///< FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC
inline constexpr unsigned kSetText = 1, kMake = 6;  ///< FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE

// openat2(2)
struct HowToOpen {
  uint64_t flags, mode, resolve;
};
inline constexpr uint64_t kNoSymlinks = 4;        ///< RESOLVE_NO_SYMLINKS

// capget(2), capset(2), version 3
struct CapabilityHeader {
  uint32_t version;
  int32_t pid;
};
struct CapabilityData {
  uint32_t effective, permitted, inheritable;
};
inline constexpr uint32_t kCapabilities = 0x20080522;  ///< _LINUX_CAPABILITY_VERSION_3: two of CapabilityData, the lower half first

// seccomp(2), and the classic BPF that it takes
struct Call {
  int32_t number;
  uint32_t architecture;
  uint64_t instruction_pointer;
  uint64_t arguments[6];
};
struct Instruction {
  uint16_t code;
  uint8_t if_true, if_false;
  uint32_t k;
};
struct Program {
  uint16_t size;
  const Instruction* code;
};
inline constexpr unsigned kSetFilter = 1;         ///< SECCOMP_SET_MODE_FILTER
inline constexpr uint32_t kFailWith = 0x00050000; ///< SECCOMP_RET_ERRNO
inline constexpr uint32_t kAllow = 0x7fff0000;    ///< SECCOMP_RET_ALLOW
inline constexpr uint16_t kLoad = 0x20, kAnd = 0x54, kJumpIfEqual = 0x15, kJumpIfAtLeast = 0x35, kReturn = 0x06;
#if defined(__x86_64__)
inline constexpr uint32_t kArchitecture = 0xC000003E;
inline constexpr uint32_t kOtherNumbers = 0x40000000;  ///< calls of x32, which have numbers of their own
#elif defined(__aarch64__)
inline constexpr uint32_t kArchitecture = 0xC00000B7;
inline constexpr uint32_t kOtherNumbers = 0xffffffff;
#else
#error "which architecture's numbers?"
#endif

}  // namespace berth::keeper::kernel
