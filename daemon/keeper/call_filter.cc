#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/kernel.h"
#include "daemon/keeper/sandbox.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int kMostFamilies = 64;
constexpr uint32_t kShmExec = 0100000;  ///< SHM_EXEC
constexpr uint32_t kReadImpliesExec = 0x0400000, kAskPersonality = 0xffffffff;  ///< of personality(2)

constexpr uint32_t argument(int n) { return offsetof(kernel::Call, arguments) + 8 * static_cast<uint32_t>(n); }  // the lower half: little-endian

/// Puts a program of classic BPF together. Nothing is added where there is no more room.
class Filter {
 public:
  void load(uint32_t offset) { add({kernel::kLoad, 0, 0, offset}); }
  void mask(uint32_t bits) { add({kernel::kAnd, 0, 0, bits}); }
  /// Skips `further` instructions where the value is not `is`.
  void unless(uint32_t is, uint8_t further) { add({kernel::kJumpIfEqual, 0, further, is}); }
  void unless_at_least(uint32_t is, uint8_t further) { add({kernel::kJumpIfAtLeast, 0, further, is}); }
  void skip_if(uint32_t is, uint8_t further) { add({kernel::kJumpIfEqual, further, 0, is}); }
  void refuse(int error) { add({kernel::kReturn, 0, 0, kernel::kFailWith | static_cast<uint32_t>(error)}); }
  void allow() { add({kernel::kReturn, 0, 0, kernel::kAllow}); }

  bool install() {
    if (full_) return errno = E2BIG, false;
    const kernel::Program program{size_, code_};
    return syscall(SYS_seccomp, kernel::kSetFilter, 0, &program) == 0;
  }

 private:
  void add(kernel::Instruction instruction) {
    if (size_ == kRoom) full_ = true;
    else code_[size_++] = instruction;
  }
  static constexpr uint16_t kRoom = 256;
  kernel::Instruction code_[kRoom];
  uint16_t size_ = 0;
  bool full_ = false;
};

/// `call` is refused where all of `bits` are set in its argument.
void refuse_bits(Filter* program, long call, int which, uint32_t bits) {
  program->unless(static_cast<uint32_t>(call), 4);
  program->load(argument(which));
  program->mask(bits);
  program->unless(bits, 1);
  program->refuse(EPERM);
  program->load(offsetof(kernel::Call, number));
}

}  // namespace

bool filter_calls(const LaunchFile& launch) {
  uint32_t families[kMostFamilies];
  int count = 0;
  bool deny = false;
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1) {
    if (const char* value = value_of(record, "family"); value != nullptr && count < kMostFamilies) families[count++] = static_cast<uint32_t>(to_number(value, -1));
    if (const char* value = value_of(record, "deny_write_execute")) deny = *value == '1';
  }
  if (count == 0 && !deny) return true;

  Filter program;
  // Programs of another architecture have other numbers for the calls, by which they would come around all of this.
  program.load(offsetof(kernel::Call, architecture));
  program.skip_if(kernel::kArchitecture, 1);
  program.refuse(EPERM);
  program.load(offsetof(kernel::Call, number));
  program.unless_at_least(kernel::kOtherNumbers, 1);
  program.refuse(EPERM);
  if (deny) {
    refuse_bits(&program, SYS_mmap, 2, PROT_WRITE | PROT_EXEC);
    refuse_bits(&program, SYS_mprotect, 2, PROT_EXEC);
    refuse_bits(&program, SYS_pkey_mprotect, 2, PROT_EXEC);
    refuse_bits(&program, SYS_shmat, 2, kShmExec);
    // With it, memory that is mapped to be read is executable too.
    program.unless(SYS_personality, 6);
    program.load(argument(0));
    program.skip_if(kAskPersonality, 3);
    program.mask(kReadImpliesExec);
    program.unless(kReadImpliesExec, 1);
    program.refuse(EPERM);
    program.load(offsetof(kernel::Call, number));
  }
  if (count > 0) {
    // It makes sockets without socket(2). Programs do without it where the kernel has none.
    program.unless(SYS_io_uring_setup, 1);
    program.refuse(ENOSYS);
    program.unless(static_cast<uint32_t>(SYS_socket), static_cast<uint8_t>(count + 2));
    program.load(argument(0));
    for (int i = 0; i < count; i++) program.skip_if(families[i], static_cast<uint8_t>(count - i));
    program.refuse(EAFNOSUPPORT);
  }
  program.allow();
  return program.install();
}

}  // namespace berth::keeper
