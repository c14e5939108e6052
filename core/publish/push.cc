#include "core/publish/push.h"

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/publish/hash_file.h"
#include "core/publish/push_check.h"
#include "core/publish/push_order.h"
#include "core/trust/folder_remote.h"
#include "core/trust/limits.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/repository_lock.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

/// The files below a subfolder, by name. Hidden ones are unfinished, and stay.
std::vector<fs::path> files_below(const fs::path& repository, const char* subfolder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(repository / subfolder, error))
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.')) files.push_back(entry.path().lexically_relative(repository));
  std::ranges::sort(files);
  return files;
}

/// Blobs and targets are named by their hashes, so one of that size is that one; metadata may be replaced.
Result<bool> is_there(const fs::path& from, const fs::path& to, bool by_content) {
  std::error_code error;
  if (!fs::is_regular_file(to, error) || fs::file_size(to, error) != fs::file_size(from, error)) return false;
  if (!by_content) return true;
  BERTH_TRY(const std::string here, files::read(from, trust::kMostMetadata));
  BERTH_TRY(const std::string there, files::read(to, trust::kMostMetadata));
  return here == there;
}

Result<void> copy_file(const fs::path& from, const fs::path& to, Pushed& pushed) {
  BERTH_CHECK(files::make_directories(to.parent_path()));
  const fs::path unfinished = to.parent_path() / ("." + to.filename().string().substr(0, 200) + ".being-pushed");
  BERTH_TRY(const Fd copy, files::open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
  BERTH_TRY(const auto copied, hash_file(from, [&](std::string_view piece) { return files::write_all(copy.get(), piece, unfinished.string()); }));
  if (::fchmod(copy.get(), 0644) != 0 || ::fsync(copy.get()) != 0) return fail_errno("write " + unfinished.string());
  BERTH_CHECK(files::rename_durably(unfinished, to));
  ++pushed.files;
  pushed.bytes += copied.size;
  return {};
}

Result<Pushed> push_to_folder(const fs::path& repository, const fs::path& destination) {
  std::vector<fs::path> files = files_below(repository, "blobs");
  std::ranges::copy(files_below(repository, "targets"), std::back_inserter(files));
  BERTH_TRY(const auto metadata, metadata_in_order(repository));
  for (const auto& part : metadata) std::ranges::copy(part, std::back_inserter(files));
  Pushed pushed;
  for (const fs::path& file : files) {
    BERTH_TRY(const bool there, is_there(repository / file, destination / file, *file.begin() == "metadata"));
    if (!there) BERTH_CHECK(copy_file(repository / file, destination / file, pushed));
  }
  return pushed;
}

/// `sh -c 'COMMAND "$1" "$2"'`; its output goes to our stderr.
Result<void> run_copy(const std::string& command, const fs::path& source, const std::string& destination) {
  const std::string script = command + " \"$1\" \"$2\"";
  const char* const argv[] = {"sh", "-c", script.c_str(), "sh", source.c_str(), destination.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/bin/sh", &actions, nullptr, const_cast<char* const*>(argv), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno("start /bin/sh", error);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return fail_errno("wait for the copying command");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Errc::io, fmt::format("'{} {} {}' failed with {}; push again when that is mended", command, source.string(), destination,
                                    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)));
}

/// A folder `metadata` of hard links, so that a command that copies folders copies these files alone.
Result<fs::path> stage(const fs::path& below, const std::string& name, const fs::path& repository, const std::vector<fs::path>& files) {
  const fs::path folder = below / name / "metadata";
  BERTH_CHECK(files::make_directories(folder));
  for (const fs::path& file : files)
    if (::link((repository / file).c_str(), (folder / file.filename()).c_str()) != 0) return fail_errno("link " + (folder / file.filename()).string());
  return folder;
}

Result<void> push_by_command(const fs::path& repository, const std::string& destination, const std::string& command) {
  const fs::path staging = repository / ".being-pushed";
  BERTH_CHECK(files::remove_tree(staging));
  BERTH_TRY(const auto metadata, metadata_in_order(repository));
  std::vector<fs::path> sources{repository / "blobs", repository / "targets"};
  for (const auto& part : metadata) {
    BERTH_TRY(fs::path staged, stage(staging, std::to_string(sources.size()), repository, part));
    sources.push_back(std::move(staged));
  }
  for (const fs::path& source : sources)
    if (fs::exists(source)) BERTH_CHECK(run_copy(command, source, destination));
  return files::remove_tree(staging);
}

/// What is served, and what a local folder holds, must not be newer.
Result<void> check_before(const fs::path& repository, const std::string& destination, const PushOptions& options) {
  if (options.served != nullptr) BERTH_CHECK(check_served(repository, *options.served, options.served_at));
  const fs::path metadata = trust::metadata_of(destination);
  std::error_code error;
  if (!fs::is_directory(metadata, error)) return {};
  trust::FolderRemote folder(metadata);
  return check_destination(repository, folder, destination);
}

/// "host:/path", or "rsync://host/path": what a local folder can be called, and nobody means by it.
bool looks_remote(const std::string& destination) {
  const auto colon = destination.find(':');
  return colon != std::string::npos && colon > 0 && destination.find('/') > colon;
}

/// Makes the folder, but none above it: a path that is mistyped is not to become a repository that nobody serves.
Result<bool> make_destination(const std::string& destination) {
  std::error_code error;
  if (fs::is_directory(destination, error)) return false;
  fs::path folder = fs::absolute(destination).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (!fs::is_directory(folder.parent_path(), error))
    return fail(Errc::not_found, fmt::format("{}: there is no folder {}: make it, or name another destination; nothing was copied", destination, folder.parent_path().string()));
  BERTH_CHECK(files::make_directories(folder));
  return true;
}

}  // namespace

Result<Pushed> push_repository(const Repository& repository, const std::string& destination, const PushOptions& options) {
  const fs::path& folder = repository.folder;
  const bool by_command = !options.command.empty();
  if (options.prune && by_command)
    return fail(Errc::usage, "a copying command removes nothing; --prune is for a destination that is a local folder");
  if (!by_command && looks_remote(destination))
    return fail(Errc::usage, fmt::format("{0}: is on another machine, which a command has to copy to, such as --with 'rsync -a'; where it is a folder here: ./{0}",
                                         destination));
  BERTH_CHECK(trust::read_repository(folder));
  std::error_code error;
  if (fs::equivalent(folder, destination, error))
    return fail(Errc::usage, fmt::format("{} and {} are the same folder: name the one to copy the repository to", folder.string(), destination));
  BERTH_TRY(const Fd lock, trust::lock_folder(folder, repository.wait));
  Pushed pushed;
  {
    Fd lock_there;
    if (!by_command) {
      BERTH_TRY(pushed.made, make_destination(destination));
      BERTH_TRY(lock_there, trust::lock_folder(destination, repository.wait));
    }
    if (!options.force) BERTH_CHECK(check_before(folder, destination, options));
    if (by_command) {
      BERTH_CHECK(push_by_command(folder, destination.ends_with('/') ? destination : destination + "/", options.command));
      return pushed;
    }
    const bool made = pushed.made;
    BERTH_TRY(pushed, push_to_folder(folder, destination));
    pushed.made = made;
  }
  if (!options.prune) return pushed;
  const Repository there{.folder = destination, .keys = repository.keys, .now = repository.now};
  BERTH_TRY(pushed.pruned, collect_repository(there, *options.prune));
  return pushed;
}

}  // namespace berth::publish
