#include "core/publish/work_tree.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kSha256Digits = 64;
constexpr milliseconds kLook{5};  ///< between two looks whether git has ended

/// git at work, in a process group of its own. Killed at the end of scope.
class Git {
 public:
  ~Git() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  Result<void> start(const std::vector<std::string>& words, const std::vector<std::string>& environment);
  /// Whether it prints anything. Fails where it does not end well.
  Result<bool> says_something(Steady::time_point deadline);

 private:
  Result<int> wait(Steady::time_point deadline);

  pid_t pid_ = -1;
  Fd output_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

Result<void> Git::start(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  output_ = Fd(ends[0]);
  const Fd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawnp(&pid_, words.front().c_str(), &actions, &attributes, pointers_to(words).data(), pointers_to(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return {};
  pid_ = -1;
  return fail_errno("start git", error);
}

Result<int> Git::wait(Steady::time_point deadline) {
  while (true) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
      pid_ = -1;
      return status;
    }
    if (got < 0) return fail_errno("wait for git");
    if (Steady::now() >= deadline) return fail(Errc::timeout, "git takes too long");
    ::poll(nullptr, 0, static_cast<int>(kLook.count()));
  }
}

Result<bool> Git::says_something(Steady::time_point deadline) {
  bool something = false;
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Steady::now());
    if (left.count() <= 0) return fail(Errc::timeout, "git takes too long");
    pollfd item{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, static_cast<int>(left.count())) <= 0) continue;
    char piece[4096];
    const ssize_t got = ::read(output_.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    something = true;
  }
  BERTH_TRY(const int status, wait(deadline));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail(Errc::io, "git cannot read its repository");
  return something;
}

/// A repository that has nothing but a commit to compare with.
Result<void> make_repository(const fs::path& folder, const std::string& commit) {
  const bool is_sha256 = commit.size() == kSha256Digits;
  BERTH_CHECK(files::make_directories(folder / "refs"));
  BERTH_CHECK(files::replace(folder / "HEAD", commit + "\n"));
  return files::replace(folder / "config", is_sha256 ? "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n"
                                                     : "[core]\n\trepositoryformatversion = 0\n");
}

}  // namespace

Result<bool> has_changes(const CheckedOut& there, milliseconds most) {
  const files::TemporaryDirectory own;
  BERTH_CHECK(make_repository(own.path(), there.commit));
  const char* path = std::getenv("PATH");
  const std::vector<std::string> environment{fmt::format("PATH={}", path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path),
                                             "HOME=/nonexistent",
                                             "LC_ALL=C",
                                             "GIT_CONFIG_NOSYSTEM=1",
                                             "GIT_CONFIG_GLOBAL=/dev/null",
                                             "GIT_OPTIONAL_LOCKS=0",  // the index is read, and never written
                                             "GIT_DIR=" + own.path().string(),
                                             "GIT_WORK_TREE=" + there.work_tree.string(),
                                             "GIT_OBJECT_DIRECTORY=" + (there.common / "objects").string(),
                                             "GIT_INDEX_FILE=" + (there.git / "index").string()};
  Git git;
  // Of a submodule the commit counts; to look into it, git would begin another one there, with that one's configuration.
  BERTH_CHECK(git.start({"git", "-C", there.work_tree.string(), "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty"}, environment));
  return git.says_something(Steady::now() + most);
}

}  // namespace berth::publish
