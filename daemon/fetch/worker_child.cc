#include "daemon/fetch/worker_child.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/unpack/job.h"

namespace berth::fetch {
namespace {

#ifdef BERTH_SANITIZE
constexpr bool kSanitized = true;  // a dynamic program, whose shadow memory is terabytes of address space
#else
constexpr bool kSanitized = false;
#endif

constexpr int kProgram = unpack::kScratch + 1;

// Between fork and exec only what is safe in a signal handler may be called.

[[noreturn]] void give_up(const char* step) {
  const char* const reason = ::strerrordesc_np(errno);
  for (const char* text : {step, ": ", reason == nullptr ? "unknown error" : reason})
    if (::write(unpack::kWords, text, std::strlen(text)) < 0) break;
  ::_exit(static_cast<int>(unpack::Claim::system));
}

void require(bool done, const char* step) {
  if (!done) give_up(step);
}

void limit(int resource, std::uint64_t most) {
  const rlimit both{most, most};
  require(::setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0, "set a limit");
}

void take_files(const WorkerFiles& files) {
  const int sources[] = {files.job.get(),  files.progress.get(), files.words.get(),  files.blob.get(),
                         files.target.get(), files.scratch.get(), files.program.get()};
  require(::dup2(files.words.get(), unpack::kWords) >= 0, "take its descriptors");  // first, so that a complaint is heard
  for (int fd = 0; fd <= kProgram; ++fd) {
    if (sources[fd] < 0) ::close(fd);
    else require(::dup2(sources[fd], fd) >= 0, "take its descriptors");
  }
  require(::syscall(SYS_close_range, static_cast<unsigned>(kProgram) + 1, ~0U, 0) == 0, "close what is not its own");
  require(::fcntl(kProgram, F_SETFD, FD_CLOEXEC) == 0, "take its descriptors");
}

void set_limits(const WorkerLimits& limits) {
  if (!kSanitized) {
    limit(RLIMIT_AS, limits.memory);
    limit(RLIMIT_STACK, 1u << 20);
  }
  limit(RLIMIT_FSIZE, limits.file_size);
  limit(RLIMIT_CPU, limits.cpu_seconds);
  limit(RLIMIT_NOFILE, 16);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_MEMLOCK, 0);
  limit(RLIMIT_MSGQUEUE, 0);
}

void drop_privileges(uid_t uid, gid_t gid) {
  for (int capability = 0; capability < 64; ++capability)
    require(::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 || errno == EINVAL, "give up capabilities");
  // The raw calls: glibc's would signal threads that exist in the parent only.
  require(::syscall(SYS_setgroups, 0, nullptr) == 0, "leave the groups");
  require(::syscall(SYS_setresgid, gid, gid, gid) == 0, "become its group");
  require(::syscall(SYS_setresuid, uid, uid, uid) == 0, "become its user");
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "give up new privileges");
}

void reset_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// berthd is the last that the kernel kills where memory runs out; its worker is among the first.
void be_expendable() {
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;  // no /proc, and no harm
  [[maybe_unused]] const ssize_t written = ::write(file, "500", 3);
  ::close(file);
}

[[noreturn]] void run_in_child(const WorkerSpec& spec, const WorkerFiles& files) {
  take_files(files);
  require(::setsid() >= 0, "make a session");
  be_expendable();
  ::umask(0);  // modes are as the layer has them, to be compared
  require(::fchdir(unpack::kTarget) == 0, "enter its folder");
  if (!kSanitized) require(::chroot(".") == 0, "see its folder only");
  set_limits(spec.limits);
  drop_privileges(spec.uid, spec.gid);
  limit(RLIMIT_NPROC, spec.limits.processes);
  // After the change of user, which resets it. A parent that is gone by now is seen by the first write of progress.
  require(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "be tied to berthd");
  reset_signals();
  char name[] = "berth-unpack";
  char no_leaks[] = "ASAN_OPTIONS=detect_leaks=0";  // the leak finder traces, which a worker may not
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {kSanitized ? no_leaks : nullptr, nullptr};
  ::syscall(SYS_execveat, kProgram, "", arguments, environment, AT_EMPTY_PATH);
  give_up("run the program");
}

}  // namespace

pid_t fork_worker(const WorkerSpec& spec, const WorkerFiles& files, int& pidfd) {
  clone_args how{};
  how.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD;
  how.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  // Without an exit signal it is nobody's child but ours: a wait for any child, or SIGCHLD, does not see it.
  how.exit_signal = 0;

  // With every signal blocked, no handler of ours runs in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = ::syscall(SYS_clone3, &how, sizeof how);
  if (pid == 0) run_in_child(spec, files);
  const int number = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid < 0 ? -number : static_cast<pid_t>(pid);
}

}  // namespace berth::fetch
