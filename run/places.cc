#include "run/places.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::run {
namespace {

constexpr std::size_t kDigits = 8;
constexpr std::size_t kMostSockets = 64u << 20;  ///< bytes of the kernel's table
constexpr std::size_t kLongestSocket = sizeof "/instances/0123456789abcdef/run/notify" - 1;  ///< of the paths below a run folder that a socket has

Result<fs::path> state_home() {
  const char* given = std::getenv("XDG_STATE_HOME");
  if (given != nullptr && *given == '/') return fs::path(given);
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".local/state";
  return fail(Errc::usage, "neither $XDG_STATE_HOME nor $HOME says where an app's data are to be: set one of them");
}

bool is_own_folder(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
}

/// A folder that nobody else may look into. One that somebody else made in its place is refused.
Result<void> make_own(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make " + path.string());
  if (!is_own_folder(path)) return fail(Errc::permission, fmt::format("{} belongs to somebody else: remove it, or set $XDG_RUNTIME_DIR to a folder of your own", path.string()));
  if (::chmod(path.c_str(), 0700) != 0) return fail_errno("chmod " + path.string());
  return {};
}

/// In memory, since there will be secrets in it; with a short name, since there will be sockets.
Result<fs::path> runtime_home() {
  const char* given = std::getenv("XDG_RUNTIME_DIR");
  if (given != nullptr && *given == '/' && is_own_folder(given)) return fs::path(given) / "berth";
  std::error_code ignored;
  const fs::path shared = fs::is_directory("/dev/shm", ignored) && ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  return shared / fmt::format("berth-{}", ::geteuid());
}

/// Where runs have their folders: of this environment, and where it would be with another one.
std::vector<fs::path> all_runtime_homes(const fs::path& own) {
  std::vector<fs::path> homes{own};
  for (const char* shared : {"/dev/shm", "/tmp"})
    if (const fs::path home = fs::path(shared) / fmt::format("berth-{}", ::geteuid()); home != own && is_own_folder(home)) homes.push_back(home);
  return homes;
}

fs::path lock_beside(const fs::path& run) { return run.string() + ".lock"; }

/// The lock of a run folder, or none where another run has it. It is removed with the folder, so who got one that is no longer there looks for the next one.
Result<std::optional<Fd>> try_run_lock(const fs::path& run) {
  const fs::path name = lock_beside(run);
  for (;;) {
    BERTH_TRY(Fd lock, files::open(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fail_errno("lock " + name.string());
      return std::optional<Fd>();
    }
    struct stat locked{}, there{};
    if (::fstat(lock.get(), &locked) == 0 && ::lstat(name.c_str(), &there) == 0 && locked.st_ino == there.st_ino && locked.st_dev == there.st_dev)
      return std::optional<Fd>(std::move(lock));
  }
}

/// Somebody who sweeps has it for a moment; another run of the same app, with its data elsewhere, to its end.
Result<Fd> take_run_lock(const fs::path& run, const std::string& source) {
  constexpr int kTries = 100;
  constexpr std::chrono::milliseconds kBetween{20};
  for (int tries = 0; tries < kTries; ++tries) {
    BERTH_TRY(auto lock, try_run_lock(run));
    if (lock) return std::move(*lock);
    std::this_thread::sleep_for(kBetween);
  }
  return fail(Errc::conflict, fmt::format("{} runs here already, with another $XDG_STATE_HOME: end that first", source));
}

/// Whether a keeper listens below this run folder: the kernel's table of sockets tells it, without a word to the keeper.
bool has_keepers(const std::string& sockets, const fs::path& run) { return sockets.find(" " + run.string() + "/keepers/") != std::string::npos; }

/// Held until its end, also where that is a kill.
Result<Fd> lock_folder(const fs::path& folder, const std::string& source) {
  const fs::path name = folder / "lock";
  BERTH_TRY(Fd lock, files::open(name, O_RDWR | O_CREAT, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno("lock " + name.string());
    const auto holder = files::read(name, 32);
    return fail(Errc::conflict, fmt::format("{} runs here already{}: end that first", source, holder && !holder->empty() ? " (pid " + *holder + ")" : ""));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) != 0) return fail_errno("write " + name.string());
  BERTH_CHECK(files::write_all(lock.get(), pid, name.string()));
  return lock;
}

}  // namespace

Result<Places> open_places(const std::string& app, const std::string& source) {
  const std::string key = crypto::sha256_hex(app + "\n" + source).substr(0, kDigits);
  BERTH_TRY(const fs::path home, state_home());
  BERTH_TRY(const fs::path runtime, runtime_home());
  Places places;
  places.paths.state = home / "berth/run" / (app + "-" + key);
  places.paths.logs = places.paths.state / "logs";
  places.paths.run = runtime / "run" / key;
  if (places.paths.run.native().size() + kLongestSocket >= sizeof sockaddr_un::sun_path)
    return fail(Errc::usage, fmt::format("{} is too long for the path of a Unix socket: set $XDG_RUNTIME_DIR to a shorter folder of your own", places.paths.run.string()));
  for (const fs::path& folder : {runtime, runtime / "run"}) BERTH_CHECK(make_own(folder));
  BERTH_CHECK(files::make_directories(places.paths.data(app), 0700));
  BERTH_TRY(places.lock, lock_folder(places.paths.state, source));
  BERTH_TRY(places.run_lock, take_run_lock(places.paths.run, source));
  BERTH_CHECK(make_own(places.paths.run));
  for (const fs::path& one : all_runtime_homes(runtime)) sweep_runs(one / "run");
  BERTH_CHECK(files::remove_tree(places.paths.logs));
  BERTH_CHECK(files::make_directories(places.paths.logs / app, 0700));
  return places;
}

void close_places(const Places& places) {
  static_cast<void>(files::remove_tree(places.paths.run));
  ::unlink(lock_beside(places.paths.run).c_str());
}

void sweep_runs(const fs::path& folder) {
  std::error_code failed;
  std::set<fs::path> runs;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const fs::path& path = entry->path();
    runs.insert(path.extension() == ".lock" ? folder / path.stem() : path);
  }
  if (runs.empty()) return;
  for (const fs::path& run : runs) {
    const auto lock = try_run_lock(run);
    if (!lock || !*lock) continue;  // it goes on
    const auto sockets = files::read("/proc/net/unix", kMostSockets);
    const bool stays = !sockets || has_keepers(*sockets, run);
    if (!stays) static_cast<void>(files::remove_tree(run));
    ::unlink(lock_beside(run).c_str());
  }
}

Result<fs::path> find_keeper() {
  if (const char* given = std::getenv("BERTH_KEEPER"); given != nullptr && *given != '\0') return fs::path(given);
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const fs::path places[] = {self.parent_path() / "daemon/keeper/berth-keeper", self.parent_path() / "libexec/berth/berth-keeper", BERTH_LIBEXEC_DIR "/berth-keeper"};
  for (const fs::path& place : places)
    if (::access(place.c_str(), X_OK) == 0) return place;
  return fail(Errc::not_found, fmt::format("{} is not there: install berth whole, or say with $BERTH_KEEPER where its program berth-keeper is", places[2].string()));
}

}  // namespace berth::run
