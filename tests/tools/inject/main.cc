// berth-inject: runs a program, numbers the system calls of all its threads at which a crash matters, and kills it at one of them.
//
// usage: berth-inject --arm FILE --trace FILE [--kill N [--like REGEX]] --below DIR… -- PROGRAM ARGUMENT…
// Numbers from 1, over all threads together, while FILE of --arm is there; processes that the program starts are left alone. Writes each point to
// the trace: `N KIND TEXT`. At number N, or at the N-th point whose whole TEXT the (extended) REGEX matches, the whole program gets SIGKILL before
// the call is made, and the trace ends with `N killed`.
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
#include <string>
#include <vector>

#include "calls.h"

namespace {

pid_t program = 0;  // for the signal handler

struct Options {
  std::string arm, trace;
  long kill = 0;
  std::optional<std::regex> like;  ///< which points `kill` counts; all of them without it
  std::vector<std::string> below;
  char** command = nullptr;
};

[[noreturn]] void usage() {
  std::fprintf(stderr, "usage: berth-inject --arm FILE --trace FILE [--kill N [--like REGEX]] --below DIR... -- PROGRAM ARGUMENT...\n");
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
    else usage();
  }
  if (i + 1 >= argc || o.arm.empty() || o.trace.empty() || o.below.empty()) usage();
  o.command = argv + i + 1;
  return o;
}

/// Starts the program, held until it is traced.
pid_t start(char** command) {
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
  const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, pid, nullptr, options) != 0 || ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) {
    std::perror("berth-inject: ptrace");
    std::exit(71);
  }
  if (write(gate[1], "g", 1) != 1) std::abort();
  close(gate[1]);
  return pid;
}

bool is_thread_of_program(pid_t thread) {
  return access(("/proc/" + std::to_string(program) + "/task/" + std::to_string(thread)).c_str(), F_OK) == 0;
}

class Injector {
 public:
  explicit Injector(Options options) : options_(std::move(options)), trace_(options_.trace) {}

  /// Follows the program to its end; returns its wait status.
  int follow() {
    for (;;) {
      int status = 0;
      const pid_t thread = waitpid(-1, &status, __WALL);
      if (thread < 0 && errno == EINTR) continue;
      if (thread < 0) return ended_;
      if (!WIFSTOPPED(status)) {
        if (thread == program) ended_ = status;
        continue;  // until no thread is left
      }
      on_stop(thread, status);
    }
  }

 private:
  void on_stop(pid_t thread, int status) {
    const int signal = WSTOPSIG(status), event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) {
      on_call(thread);
      resume(thread, 0);
    } else if (event == PTRACE_EVENT_STOP) {
      if (!is_thread_of_program(thread)) ptrace(PTRACE_DETACH, thread, nullptr, nullptr);  // a process that was made by a bare clone()
      else if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) ptrace(PTRACE_LISTEN, thread, nullptr, nullptr);
      else resume(thread, 0);
    } else {
      resume(thread, event == 0 ? signal : 0);
    }
  }

  void on_call(pid_t thread) {
    __ptrace_syscall_info call{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof call, &call) <= 0) return;
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    const auto point = inject::crash_point(program, thread, call, options_.below);
    if (!point || access(options_.arm.c_str(), F_OK) != 0) return;
    ++count_;
    trace_ << count_ << (point->kind == inject::Kind::durable ? " durable " : " effect ") << point->text << std::endl;
    if (!options_.like || std::regex_match(point->text, *options_.like)) ++alike_;
    if (alike_ != options_.kill) return;
    trace_ << count_ << " killed" << std::endl;
    kill(program, SIGKILL);
  }

  static void resume(pid_t thread, int signal) { ptrace(PTRACE_SYSCALL, thread, nullptr, static_cast<long>(signal)); }

  Options options_;
  std::ofstream trace_;
  long count_ = 0;  ///< points so far
  long alike_ = 0;  ///< those of them that `kill` counts
  int ended_ = 0;
};

void pass_on(int signal) { kill(program, signal); }

}  // namespace

int main(int argc, char** argv) {
  Options options = read_options(argc, argv);
  program = start(options.command);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction action{};
    action.sa_handler = pass_on;
    sigaction(signal, &action, nullptr);
  }
  const int status = Injector(std::move(options)).follow();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
