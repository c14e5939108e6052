// berth-inject: runs a program, numbers the system calls of all its threads at which a crash matters, and kills it, or lets the call fail, at one of them.
//
// usage: berth-inject --arm FILE --trace FILE [--kill N [--like REGEX]] [--error NAME [--lasts yes]] [--reads yes] [--of PROGRAM] --below DIR… -- PROGRAM ARGUMENT…
// Numbers from 1, over all threads together, while FILE of --arm is there; processes that the program starts are left alone. Writes each point to
// the trace: `N KIND TEXT`. At number N, or at the N-th point whose whole TEXT the (extended) REGEX matches, the whole program gets SIGKILL before
// the call is made, and the trace ends with `N killed`.
// With --error the call is not made and fails with that instead (ENOSPC, EIO, …), and `N failed` is in the trace; where it lasts, each further call that can fail so does,
// until FILE of --arm is gone. With --reads calls that read are points, too.
// With --of the program itself is left alone; numbered, and killed, are processes of that name that it starts, such as berth-keeper. They outlive berth-inject.
// Signals that come to berth-inject are passed on. Ends as the program did.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "calls.h"
#include "registers.h"

namespace {

pid_t program = 0;  // for the signal handler

struct Options {
  std::string arm, trace;
  long kill = 0;
  std::optional<std::regex> like;  ///< which points `kill` counts; all of them without it
  std::vector<std::string> below;
  int error = 0;       ///< what the call fails with; 0: the program is killed
  bool lasts = false;  ///< whether what comes after it fails, too
  bool reads = false;
  std::string of;      ///< the file name of the programs that are meant; empty: the one that is started here
  char** command = nullptr;
};

[[noreturn]] void usage() {
  std::fprintf(stderr, "usage: berth-inject --arm FILE --trace FILE [--kill N [--like REGEX]] [--error NAME [--lasts yes]] [--reads yes] [--of PROGRAM] "
                       "--below DIR... -- PROGRAM ARGUMENT...\n");
  std::exit(64);
}

Options read_options(int argc, char** argv) {
  Options o;
  int i = 1;
  for (; i + 1 < argc && std::strcmp(argv[i], "--") != 0; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--arm") o.arm = value;
    else if (name == "--trace") o.trace = value;
    else if (name == "--kill") o.kill = std::stol(value);
    else if (name == "--like") o.like.emplace(value, std::regex::extended);
    else if (name == "--below") o.below.push_back(value);
    else if (name == "--error") o.error = inject::error_named(value);
    else if (name == "--lasts") o.lasts = value == "yes";
    else if (name == "--reads") o.reads = value == "yes";
    else if (name == "--of") o.of = value;
    else usage();
  }
  if (i + 1 >= argc || o.arm.empty() || o.trace.empty() || o.below.empty() || o.error < 0 || (o.error != 0 && !o.of.empty())) usage();
  o.command = argv + i + 1;
  return o;
}

/// Starts the program, held until it is traced.
pid_t start(char** command, bool with_children) {
  int gate[2];
  if (pipe(gate) != 0) std::abort();
  const pid_t pid = fork();
  if (pid == 0) {
    close(gate[1]);
    char go;
    if (read(gate[0], &go, 1) != 1) _exit(127);
    close(gate[0]);
    execvp(command[0], command);
    std::perror(command[0]);
    _exit(127);
  }
  close(gate[0]);
  const long always = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  const long options = always | (with_children ? PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK : PTRACE_O_EXITKILL);
  if (ptrace(PTRACE_SEIZE, pid, nullptr, options) != 0 || ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) {
    std::perror("berth-inject: ptrace");
    std::exit(71);
  }
  if (write(gate[1], "g", 1) != 1) std::abort();
  close(gate[1]);
  return pid;
}

bool is_thread_of(pid_t process, pid_t thread) {
  return access(("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread)).c_str(), F_OK) == 0;
}

/// The file name of the program that a process runs.
std::string name_of(pid_t process) {
  char target[PATH_MAX];
  const ssize_t n = readlink(("/proc/" + std::to_string(process) + "/exe").c_str(), target, sizeof target);
  const std::string path(target, n < 0 ? 0 : static_cast<std::size_t>(n));
  return path.substr(path.rfind('/') + 1);
}

class Injector {
 public:
  explicit Injector(Options options) : options_(std::move(options)), trace_(options_.trace) {
    if (options_.of.empty()) meant_.insert(program);
  }

  /// Follows the program to its end; returns its wait status.
  int follow() {
    for (;;) {
      int status = 0;
      const pid_t thread = waitpid(-1, &status, __WALL);
      if (thread < 0 && errno == EINTR) continue;
      if (thread < 0) return ended_;
      if (!WIFSTOPPED(status)) {
        failing_.erase(thread);
        meant_.erase(thread);
        if (thread == program) ended_ = status;
        if (thread == program && !options_.of.empty()) return ended_;
        continue;  // until no thread is left
      }
      on_stop(thread, status);
    }
  }

 private:
  /// The process that a thread is of, where it is one that is meant; else 0.
  pid_t process_of(pid_t thread) const {
    if (options_.of.empty()) return program;
    if (meant_.contains(thread)) return thread;
    for (const pid_t process : meant_)
      if (is_thread_of(process, thread)) return process;
    return 0;
  }

  void on_stop(pid_t thread, int status) {
    const int signal = WSTOPSIG(status), event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) {
      on_call(thread);
      resume(thread, 0);
    } else if (event == PTRACE_EVENT_STOP) {
      // A process that was made by a bare clone() is left alone, unless it may become one of those that are meant.
      if (options_.of.empty() && !is_thread_of(program, thread)) ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
      else if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) ptrace(PTRACE_LISTEN, thread, nullptr, nullptr);
      else resume(thread, 0);
    } else if (event == PTRACE_EVENT_EXEC && !options_.of.empty()) {
      if (name_of(thread) == options_.of) meant_.insert(thread);
      else meant_.erase(thread);
      if (thread == program || meant_.contains(thread)) resume(thread, 0);
      else ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
    } else {
      resume(thread, event == 0 ? signal : 0);
    }
  }

  void on_call(pid_t thread) {
    __ptrace_syscall_info call{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof call, &call) <= 0) return;
    if (call.op == PTRACE_SYSCALL_INFO_EXIT && failing_.erase(thread) > 0) inject::set_result(thread, -options_.error);
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    const pid_t process = process_of(thread);
    if (process == 0) return;
    const auto point = inject::crash_point(process, thread, call, options_.below, options_.reads);
    if (!point || access(options_.arm.c_str(), F_OK) != 0) return;
    ++count_;
    trace_ << count_ << " " << inject::word_for(point->kind) << " " << point->text << std::endl;
    const bool counts = !options_.like || std::regex_match(point->text, *options_.like);
    if (counts) ++alike_;
    const bool now = counts && alike_ == options_.kill, after = options_.kill > 0 && alike_ >= options_.kill;
    if (options_.error == 0 ? !now : !(now || (options_.lasts && after && inject::can_fail_with(options_.error, *point)))) return;
    trace_ << count_ << (options_.error == 0 ? " killed" : " failed") << std::endl;
    if (options_.error == 0) {
      kill(process, SIGKILL);
    } else {
      inject::make_no_call(thread);
      failing_.insert(thread);
    }
  }

  void resume(pid_t thread, int signal) const {
    const auto how = process_of(thread) != 0 ? PTRACE_SYSCALL : PTRACE_CONT;
    ptrace(how, thread, nullptr, static_cast<long>(signal));
  }

  Options options_;
  std::ofstream trace_;
  std::set<pid_t> meant_;    ///< processes whose calls are numbered
  std::set<pid_t> failing_;  ///< threads in a call that is not made
  long count_ = 0;  ///< points so far
  long alike_ = 0;  ///< those of them that `kill` counts
  int ended_ = 0;
};

void pass_on(int signal) { kill(program, signal); }

}  // namespace

int main(int argc, char** argv) {
  Options options = read_options(argc, argv);
  program = start(options.command, !options.of.empty());
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction action{};
    action.sa_handler = pass_on;
    sigaction(signal, &action, nullptr);
  }
  const int status = Injector(std::move(options)).follow();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
