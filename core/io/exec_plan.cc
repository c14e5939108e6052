#include "core/io/exec_plan.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::io {
namespace {

using Step = ExecFailure::Step;

/// The child's arguments as the kernel wants them, and where its program may be.
struct ExecPlan {
  explicit ExecPlan(const ChildSpec& its_spec) : spec(its_spec) {
    for (const auto& argument : spec.argv) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    for (const auto& [name, value] : spec.environment) variables.push_back(name + "=" + value);
    for (auto& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    oom_score = std::to_string(spec.oom_score_adjust.value_or(0));
    for (const auto& [resource, limit] : spec.resources) limits.push_back({resource, {limit.soft, limit.hard}});
    find_programs();
  }
  ExecPlan(const ExecPlan&) = delete;
  ExecPlan& operator=(const ExecPlan&) = delete;

  void find_programs() {
    const std::string& name = spec.argv.front();
    if (name.find('/') != std::string::npos) {
      programs.push_back(name);
      return;
    }
    const auto found = spec.environment.find("PATH");
    const std::string folders = found == spec.environment.end() ? "/usr/local/bin:/usr/bin:/bin" : found->second;
    for (std::size_t at = 0; at <= folders.size();) {
      const std::size_t end = std::min(folders.find(':', at), folders.size());
      if (end > at) programs.push_back(folders.substr(at, end - at) + "/" + name);
      at = end + 1;
    }
  }

  const ChildSpec& spec;
  std::vector<char*> argv;
  std::vector<std::string> variables;
  std::vector<char*> envp;
  std::vector<std::string> programs;
  std::string oom_score;
  std::vector<std::pair<int, rlimit>> limits;
};

[[noreturn]] void give_up(int failure, Step step, int number) {
  const ExecFailure report{step, number};
  [[maybe_unused]] const ssize_t told = ::write(failure, &report, sizeof report);
  ::_exit(127);
}

void enter_cgroup(const char* procs, int failure) {
  const int fd = ::open(procs, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, "0", 1) != 1) give_up(failure, Step::cgroup, errno);
  ::close(fd);
}

bool set_oom_score(const std::string& score) {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = ::write(fd, score.data(), score.size()) == static_cast<ssize_t>(score.size());
  const int number = errno;
  ::close(fd);
  return errno = number, done;
}

/// As far as it may.
void set_usual_files() {
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return;
  rlimit usual{kUsualFiles.soft, kUsualFiles.hard};
  if (::setrlimit(RLIMIT_NOFILE, &usual) == 0) return;
  usual.rlim_max = std::min(usual.rlim_max, now.rlim_max);
  usual.rlim_cur = std::min(usual.rlim_cur, usual.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &usual);
}

void set_resources(const ExecPlan& plan, int failure) {
  if (!set_oom_score(plan.oom_score) && plan.spec.oom_score_adjust) give_up(failure, Step::resources, errno);
  if (plan.spec.nice && ::setpriority(PRIO_PROCESS, 0, *plan.spec.nice) != 0) give_up(failure, Step::resources, errno);
  set_usual_files();
  for (const auto& [resource, limit] : plan.limits)
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) give_up(failure, Step::resources, errno);
}

void become_user(const ChildSpec& spec, int failure) {
  if (!spec.uid && !spec.gid) return;
  if (::setgroups(spec.groups.size(), spec.groups.data()) < 0) give_up(failure, Step::user, errno);
  if (spec.gid && ::setresgid(*spec.gid, *spec.gid, *spec.gid) < 0) give_up(failure, Step::user, errno);
  if (spec.uid && ::setresuid(*spec.uid, *spec.uid, *spec.uid) < 0) give_up(failure, Step::user, errno);
}

/// Those that the kernel knows are numbered without a gap.
void bound_capabilities(std::uint64_t kept, int failure) {
  for (int capability = 0; capability < 64; ++capability) {
    const int has = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (has < 0) return;
    if (has == 1 && (kept >> capability & 1) == 0 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) give_up(failure, Step::user, errno);
  }
}

/// An app begins with no signal blocked or ignored, whatever berthd does with its own.
void reset_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// As execvpe: a folder without the program, or one that may not be read, does not end the search.
[[noreturn]] void exec_first(const ExecPlan& plan, int failure) {
  int worst = ENOENT;
  for (const auto& program : plan.programs) {
    ::execve(program.c_str(), plan.argv.data(), plan.envp.data());
    if (errno == EACCES) worst = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) give_up(failure, Step::program, errno);
  }
  give_up(failure, Step::program, worst);
}

[[noreturn]] void run_in_child(const ExecPlan& plan, int null, int output, int failure) {
  if (::setsid() < 0) give_up(failure, Step::session, errno);
  if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) give_up(failure, Step::output, errno);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  if (!plan.spec.cgroup_procs.empty()) enter_cgroup(plan.spec.cgroup_procs.c_str(), failure);
  set_resources(plan, failure);
  if (plan.spec.mount_namespace >= 0 && ::setns(plan.spec.mount_namespace, CLONE_NEWNS) < 0) give_up(failure, Step::root, errno);
  if (::geteuid() == 0) bound_capabilities(plan.spec.bounding, failure);  // another has none to bound
  become_user(plan.spec, failure);
  if (!plan.spec.may_gain_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(failure, Step::user, errno);
  if (::chdir(plan.spec.directory.c_str()) < 0) give_up(failure, Step::directory, errno);
  reset_signals();
  exec_first(plan, failure);
}

Result<std::pair<Fd, Fd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("make a pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

/// 0, 1 and 2 are replaced in the child one after the other; what they are replaced by must be none of them.
Result<void> lift(Fd& fd) {
  if (fd.get() > 2) return {};
  Fd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!higher) return fail_errno("make a pipe");
  fd = std::move(higher);
  return {};
}

}  // namespace

Result<Forked> fork_child(const ChildSpec& spec) {
  if (spec.argv.empty() || spec.argv.front().empty()) return fail(Errc::usage, "an empty command cannot be run");
  const ExecPlan plan(spec);
  BERTH_TRY(auto output, make_pipe());
  BERTH_TRY(auto failure, make_pipe());
  Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return fail_errno("open /dev/null");
  for (Fd* fd : {&output.second, &failure.second, &null}) BERTH_CHECK(lift(*fd));

  // With every signal blocked, no handler of ours runs in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) run_in_child(plan, null.get(), output.second.get(), failure.second.get());
  const int number = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno("start " + spec.argv.front(), number);

  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return Forked{pid, std::move(pidfd), std::move(output.first), std::move(failure.first)};
}

Error explain(const ExecFailure& failure, const ChildSpec& spec) {
  const std::string& program = spec.argv.front();
  const auto say = [&failure](const std::string& doing) { return fail_errno(doing, failure.number).error(); };
  switch (failure.step) {
    case Step::cgroup: return say(fmt::format("run {}: enter the cgroup {}", program, spec.cgroup_procs));
    case Step::resources: return say(fmt::format("run {}: set the limits of its process", program));
    case Step::root: return say(fmt::format("run {}: enter the file system of its app", program));
    case Step::user: return say(fmt::format("run {}: become user {} and group {}", program, spec.uid ? std::to_string(*spec.uid) : "of berthd",
                                            spec.gid ? std::to_string(*spec.gid) : "of berthd"));
    case Step::directory: return say(fmt::format("run {}: enter the folder {}", program, spec.directory));
    case Step::program: break;
    default: return say(fmt::format("run {}: prepare its process", program));
  }
  if (failure.number == ENOENT && program.find('/') == std::string::npos)
    return {Errc::not_found, fmt::format("run {}: no such program in PATH", program)};
  if (failure.number == ENOEXEC) return {Errc::permission, fmt::format("run {}: neither a program for this machine nor a script with '#!'", program)};
  return say("run " + program);
}

}  // namespace berth::io
