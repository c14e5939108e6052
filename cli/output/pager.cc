#include "cli/output/pager.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::cli {
namespace {

constexpr int kNoSuchProgram = 127;  ///< of the shell

/// Whether a pager showed it.
bool show_by_pager(const std::string& text) {
  const char* named = std::getenv("PAGER");
  const std::string pager = named != nullptr && *named != 0 ? named : "less";
  ::setenv("LESS", "FRX", 0);  // git's: it ends by itself where all fits, and leaves what it showed
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  std::FILE* const to = ::popen(pager.c_str(), "w");
  int status = -1;
  if (to != nullptr) {
    std::fwrite(text.data(), 1, text.size(), to);
    status = ::pclose(to);
  }
  std::signal(SIGPIPE, before);
  return status >= 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == kNoSuchProgram);
}

}  // namespace

void show_paged(const Console& console, const std::string& text) {
  winsize size{};
  const bool has_size = console.terminal && console.draws && ::ioctl(::fileno(console.out), TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  const bool fits = !has_size || std::ranges::count(text, '\n') < size.ws_row;
  if (fits || !show_by_pager(text)) console.print(text);
}

}  // namespace berth::cli
