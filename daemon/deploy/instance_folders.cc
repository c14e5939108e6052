#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/secret.h"
#include "core/files/files.h"
#include "daemon/deploy/config_files.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

/// A folder of berthd's own that `group` may pass through; what is in it cannot be exchanged by an app.
Result<void> make_passage(const fs::path& path, gid_t group, mode_t mode) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("make " + path.string());
  if (::lchown(path.c_str(), ::geteuid(), group) != 0) return fail_errno("chown " + path.string());
  if (::chmod(path.c_str(), mode) != 0) return fail_errno("chmod " + path.string());
  return {};
}

/// The instance's own writable folder. One that is there stays with its content, since a process may be at work in it.
Result<void> make_writable(const fs::path& path, RunAs who) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode) && status.st_uid == who.uid && status.st_gid == who.gid) return {};
    BERTH_CHECK(files::remove_tree(path));  // of another user, which this release ran as before
  }
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno("make " + path.string());
  if (::lchown(path.c_str(), who.uid, who.gid) != 0) return fail_errno("chown " + path.string());
  return {};
}

/// The app's data were made for its own user. A release with another `user` gets them while they are empty; who owns an app's files afterwards is not
/// berthd's to change under a release that may be running.
Result<void> give_data(const fs::path& data, const bundle::Manifest& manifest, RunAs who) {
  struct stat status{};
  if (::lstat(data.c_str(), &status) != 0) return fail_errno("stat " + data.string());
  if (who.uid == 0 || status.st_uid == who.uid) return {};
  std::error_code failed;
  const bool empty = fs::is_empty(data, failed);
  if (failed) return fail_errno("list " + data.string(), failed.value());
  if (!empty)
    return fail(Errc::usage, fmt::format("{}@{}: {} belongs to uid {}, and this release runs as uid {}: run `chown -R {}:{} {}` while the app is stopped",
                                         manifest.app, manifest.release, data.string(), status.st_uid, who.uid, who.uid, who.gid, data.string()));
  if (::lchown(data.c_str(), who.uid, who.gid) != 0) return fail_errno("chown " + data.string());
  return {};
}

/// Puts one entry in the place of another in one step, whatever both are; the other lies at `from` then.
Result<void> exchange(int from, int to, const std::string& name) {
  if (::renameat2(from, name.c_str(), to, name.c_str(), RENAME_EXCHANGE) == 0) return {};
  if (errno != ENOENT) return fail_errno("replace " + name);
  if (::renameat(from, name.c_str(), to, name.c_str()) != 0) return fail_errno("make " + name);
  return {};
}

Result<std::vector<std::string>> entries_of(int folder) {
  std::vector<std::string> names;
  std::error_code failed;
  fs::directory_iterator entry(fmt::format("/proc/self/fd/{}", folder), failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) names.push_back(entry->path().filename());
  if (failed) return fail_errno("list a folder", failed.value());
  return names;
}

/// Whether both are files that an app could not tell from one another. Neither is followed: what lies at `to` may be the app's own doing.
bool is_same_file(int from, int to, const std::string& name) {
  const auto one = files::open_below(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), other = files::open_below(to, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!one || !other) return false;
  struct stat is{}, was{};
  if (::fstat(one->get(), &is) != 0 || ::fstat(other->get(), &was) != 0 || !S_ISREG(is.st_mode)) return false;
  if (is.st_mode != was.st_mode || is.st_uid != was.st_uid || is.st_gid != was.st_gid || is.st_size != was.st_size) return false;
  const auto most = static_cast<std::size_t>(is.st_size);
  auto now = files::read(one->get(), name, most), before = files::read(other->get(), name, most);
  const bool same = now && before && *now == *before;
  if (now) crypto::wipe(*now);
  if (before) crypto::wipe(*before);
  return same;
}

/// Makes the folder `to` hold what `from` does, entry by entry. It stays the same folder, since it may be mounted in the root of an instance that runs;
/// so does a folder in it that stays, and a file that is as it was. What was there before and is no more lies in `from` afterwards. An app owns `to`
/// and what is in it, so nothing is followed, and all that it is given is moved there by name.
Result<void> update_folder(int from, int to) {
  BERTH_TRY(const auto fresh, entries_of(from));
  for (const std::string& name : fresh) {
    if (is_same_file(from, to, name)) continue;
    constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const auto inner = files::open_below(from, name, kFolder), there = files::open_below(to, name, kFolder);
    if (inner && there) BERTH_CHECK(update_folder(inner->get(), there->get()));
    else BERTH_CHECK(exchange(from, to, name));
  }
  BERTH_TRY(const auto all, entries_of(to));
  const std::set<std::string> wanted(fresh.begin(), fresh.end());
  for (const std::string& name : all)
    if (!wanted.contains(name) && ::renameat(to, name.c_str(), from, name.c_str()) != 0) return fail_errno("remove " + name);
  struct stat status{};
  if (::fstat(from, &status) != 0) return fail_errno("stat a folder");
  if (::fchown(to, status.st_uid, status.st_gid) != 0 || ::fchmod(to, status.st_mode & 07777u) != 0) return fail_errno("hand over a folder");
  return {};
}

/// Makes a folder anew by `fill`, and then the one of before the same; that stays as it was where `fill` fails.
Result<void> replace_folder(const fs::path& place, const std::function<Result<void>(const fs::path&)>& fill) {
  const fs::path fresh = place.string() + ".new";
  BERTH_CHECK(files::remove_tree(fresh));  // a crash may have left it
  auto filled = fill(fresh);
  if (!filled) {
    static_cast<void>(files::remove_tree(fresh));  // half of the secrets are of no use to anyone
    return filled;
  }
  const auto there = files::open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!there && there.error().code == Errc::not_found) {
    if (::rename(fresh.c_str(), place.c_str()) != 0) return fail_errno("make " + place.string());
    return {};
  }
  if (!there) return pass(there.error());
  BERTH_TRY(const Fd made, files::open(fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (auto updated = update_folder(made.get(), there->get()); !updated) return pass(std::move(updated.error()), place.string());
  return files::remove_tree(fresh);
}

}  // namespace

Result<void> prepare_folders(const NodeFacts& node, const bundle::Manifest& manifest, const InstanceId& id, RunAs who,
                             const std::map<std::string, std::string>& environment, const std::map<std::string, std::string>& secrets) {
  const InstanceFolders folders = folders_of(node, id);
  const fs::path base = folders.base;
  BERTH_CHECK(files::make_directories(base.parent_path()));
  BERTH_CHECK(make_passage(base.parent_path(), ::getegid(), 0711));
  BERTH_CHECK(make_passage(base, who.gid, 0710));
  BERTH_CHECK(make_writable(folders.run, who));
  BERTH_CHECK(make_writable(folders.tmp, who));
  BERTH_CHECK(give_data(node.paths.data(id.app), manifest, who));

  const auto render = [&](const fs::path& fresh) {
    return render_config(node.config_of(id.app, manifest.release), fresh, who, rendering_values(node, manifest, environment, secrets));
  };
  const auto write = [&](const fs::path& fresh) { return write_secrets(fresh, who, secrets); };
  auto replaced = replace_folder(folders.config, render);
  if (replaced) replaced = replace_folder(folders.secrets, write);
  if (!replaced) return pass(std::move(replaced.error()), fmt::format("{}@{}", manifest.app, manifest.release));
  return {};
}

Result<void> remove_folders(const NodeFacts& node, const InstanceId& id) { return files::remove_tree(folders_of(node, id).base); }

Result<void> remove_strange_folders(const NodeFacts& node, const std::vector<InstanceId>& known) {
  std::set<fs::path> wanted;
  for (const InstanceId& id : known) wanted.insert(folders_of(node, id).base);
  const fs::path all = instances_folder(node);
  std::error_code failed;
  for (fs::directory_iterator entry(all, failed); !failed && entry != fs::directory_iterator(); entry.increment(failed))
    if (!wanted.contains(entry->path())) BERTH_CHECK(files::remove_tree(entry->path()));
  if (failed && failed.value() != ENOENT) return fail_errno("list " + all.string(), failed.value());
  return {};
}

}  // namespace berth::deploy
