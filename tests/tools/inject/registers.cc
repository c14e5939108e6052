#include "registers.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace inject {
namespace {

#if defined(__x86_64__)
using Registers = user_regs_struct;
auto& result_in(Registers& registers) { return registers.rax; }
#elif defined(__aarch64__)
using Registers = user_regs_struct;
auto& result_in(Registers& registers) { return registers.regs[0]; }
#else
#error "which register has the result of a system call?"
#endif

}  // namespace

void make_no_call(pid_t thread) {
#if defined(__x86_64__)
  Registers registers{};
  iovec part{&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &part) != 0) return;
  registers.orig_rax = static_cast<unsigned long long>(-1);
  ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &part);
#else
  int none = -1;
  iovec part{&none, sizeof none};
  ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &part);
#endif
}

void set_result(pid_t thread, long result) {
  Registers registers{};
  iovec part{&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &part) != 0) return;
  result_in(registers) = static_cast<unsigned long long>(result);
  ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &part);
}

}  // namespace inject
