#pragma once

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace berth::cli {

/// What a run of the built program said and ended with.
struct Ran {
  int exit = -1;  ///< -1: a signal ended it
  std::string out, err;
};

/// Runs `berth` with stdin from /dev/null and waits for its end. `prepare` is called in its process before it begins.
inline Ran run_berth(std::vector<std::string> arguments, void (*prepare)() = nullptr) {
  char out_name[] = "/tmp/berth-out-XXXXXX", err_name[] = "/tmp/berth-err-XXXXXX";
  const int out = ::mkstemp(out_name), err = ::mkstemp(err_name);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("NO_COLOR", "1", 1);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    if (std::freopen("/dev/null", "r", stdin) == nullptr) ::_exit(126);
    std::vector<char*> argv{const_cast<char*>("berth")};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (prepare != nullptr) prepare();
    ::execv(BERTH_PROGRAM, argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto content = [](const char* name) {
    std::ifstream file(name, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(file), {});
    ::unlink(name);
    return text;
  };
  ::close(out);
  ::close(err);
  return {.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = content(out_name), .err = content(err_name)};
}

inline constexpr int kKeepsCapabilities = 99;

/// For `run_berth`: root may do with files what their modes say, also with those of others. Ends with `kKeepsCapabilities` where none may be given up.
inline void respect_modes() {
  if (::geteuid() != 0) return;
  const bool done = ::setgroups(0, nullptr) == 0 && ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0 && ::prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH) == 0;
  if (!done) ::_exit(kKeepsCapabilities);
}

}  // namespace berth::cli
