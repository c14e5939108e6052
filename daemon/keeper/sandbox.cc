#include "daemon/keeper/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/big.h"
#include "daemon/keeper/image_root.h"
#include "daemon/keeper/kernel.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int kMostRules = 256;
constexpr size_t kPathRoom = 128 * 1024;
constexpr uint64_t kUnused = kernel::kNoSetUid | kernel::kNoDevices | kernel::kNoExecution;  ///< of what nothing is in
const char* const kDeviceLinks[] = {"fd", "stdin", "stdout", "stderr", "core", "log", "ptmx"};
constexpr mode_t kOpen = 0755, kPassable = 0111;                                             ///< of folders that lead to a path

/// A record "KIND[?] PATH".
struct Rule {
  enum class Kind { read_only, writable, hidden, memory, empty, devices } kind;
  bool optional;
  const char* path;  ///< where it really is, once it is found
  bool is_folder;
  int tree;          ///< what is to lie there; -1: what lies there already, or nothing any more

  bool is_copy() const { return kind == Kind::read_only || kind == Kind::writable; }
  bool is_root() const { return path[1] == 0; }
};

// Touched in the child only.
BERTH_BIG Rule rules[kMostRules];
BERTH_BIG char paths[kPathRoom];
int rule_count;
size_t paths_used;

bool parse_rule(const char* record, Rule* rule) {
  const struct {
    const char* word;
    Rule::Kind kind;
  } kinds[] = {{"ro", Rule::Kind::read_only}, {"rw", Rule::Kind::writable}, {"hide", Rule::Kind::hidden}, {"memory", Rule::Kind::memory}, {"empty", Rule::Kind::empty},
                {"devices", Rule::Kind::devices}};
  const char* space = strchr(record, ' ');
  if (space == nullptr || space[1] != '/') return errno = EINVAL, false;
  size_t length = static_cast<size_t>(space - record);
  rule->optional = length > 0 && record[length - 1] == '?';
  length -= rule->optional;
  rule->path = space + 1;
  rule->tree = -1;
  for (const auto& kind : kinds)
    if (strlen(kind.word) == length && strncmp(record, kind.word, length) == 0) return rule->kind = kind.kind, true;
  return errno = EINVAL, false;
}

/// Follows the symlinks of its path, which counts from here on: what is mounted on a link would leave its target as it was.
bool find(Rule* rule) {
  const int there = open(rule->path, O_PATH | O_CLOEXEC);
  if (there < 0) return false;
  char link[40];
  Text(link, sizeof link).add("/proc/self/fd/").number(static_cast<uint64_t>(there));
  struct stat what;
  const size_t room = kPathRoom - paths_used;
  const ssize_t size = fstat(there, &what) == 0 ? readlink(link, paths + paths_used, room) : -1;
  const int error = errno;
  close(there);
  if (size < 0) return errno = error, false;
  if (static_cast<size_t>(size) >= room) return errno = ENAMETOOLONG, false;
  paths[paths_used + static_cast<size_t>(size)] = 0;
  rule->path = paths + paths_used;
  rule->is_folder = S_ISDIR(what.st_mode);
  paths_used += static_cast<size_t>(size) + 1;
  // Nothing can lie in place of the root, nor a folder in place of a file.
  if (*rule->path != '/' || (rule->is_root() && !rule->is_copy())) return errno = EINVAL, false;
  const bool is_memory = rule->kind == Rule::Kind::memory || rule->kind == Rule::Kind::empty || rule->kind == Rule::Kind::devices;
  return !is_memory || rule->is_folder || (errno = ENOTDIR, false);
}

bool is_missing(int error) { return error == ENOENT || error == ENOTDIR; }

/// Leaves out what is not there and need not be.
bool find_all() {
  int kept = 0;
  for (int i = 0; i < rule_count; i++) {
    Rule rule = rules[i];
    if (find(&rule)) rules[kept++] = rule;
    else if (!rule.optional || !is_missing(errno)) return false;
  }
  rule_count = kept;
  return true;
}

int depth(const char* path) {
  int slashes = 0;
  for (const char* at = path; *at; at++) slashes += *at == '/' && at[1] != 0;
  return slashes;
}

/// What lies in something else comes after it. Of those that name the same path the order stays, and the last one counts.
void sort_rules() {
  for (int i = 1; i < rule_count; i++)
    for (int at = i; at > 0 && depth(rules[at - 1].path) > depth(rules[at].path); at--) {
      const Rule rule = rules[at];
      rules[at] = rules[at - 1];
      rules[at - 1] = rule;
    }
}

bool set_read_only(int at, const char* path, unsigned flags) {
  const kernel::MountAttributes attributes{.set = kernel::kReadOnly, .clear = 0, .propagation = 0, .user_namespace = 0};
  return syscall(SYS_mount_setattr, at, path, flags, &attributes, sizeof attributes) == 0;
}

/// What lies at the path now, apart from all else; with everything below it, or without.
int copy_of(const char* path, unsigned recursive) { return static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, path, kernel::kClone | O_CLOEXEC | recursive)); }

/// Looked up anew: what it lies in may be something else by now. No link is followed that was none before.
bool put(int tree, const char* path) {
  const kernel::HowToOpen how{.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = kernel::kNoSymlinks};
  const int target = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
  if (target < 0) return false;
  const bool done = syscall(SYS_move_mount, tree, "", target, "", kernel::kFromFd | kernel::kToFd) == 0;
  const int error = errno;
  close(target);
  return errno = error, done;
}

/// An empty folder in memory that is attached nowhere.
int make_memory(const char* mode, const char* size, uint64_t attributes) {
  const int fs = static_cast<int>(syscall(SYS_fsopen, "tmpfs", kernel::kCloseOnExec));
  if (fs < 0) return -1;
  const auto set = [fs](const char* key, const char* value) { return syscall(SYS_fsconfig, fs, kernel::kSetText, key, value, 0) == 0; };
  int made = -1;
  if (set("mode", mode) && (size == nullptr || set("size", size)) && syscall(SYS_fsconfig, fs, kernel::kMake, nullptr, nullptr, 0) == 0)
    made = static_cast<int>(syscall(SYS_fsmount, fs, kernel::kCloseOnExec, attributes));
  const int error = errno;
  close(fs);
  return errno = error, made;
}

/// A file that nobody may read, to lie over others. Its file system is attached nowhere.
int make_nothing() {
  constexpr const char* kSomewhere = "/proc";  // for a moment, in this namespace alone: what is attached nowhere cannot be copied from
  const int folder = make_memory("0000", "4k", kUnused);
  if (folder < 0) return -1;
  const int file = openat(folder, "file", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
  if (file >= 0) close(file);
  int tree = -1, error = errno;
  if (file >= 0 && put(folder, kSomewhere)) {
    tree = copy_of("/proc/file", 0);
    error = errno;
    if (umount2(kSomewhere, MNT_DETACH) != 0) tree = -1, error = errno;
  } else {
    error = errno;
  }
  close(folder);
  return errno = error, tree;
}

/// The link that is at `path` in `folder` is made in `to` as well.
bool copy_link(const char* folder, const char* name, int to) {
  char path[64], target[256];
  Text(path, sizeof path).add(folder).add("/").add(name);
  const ssize_t size = readlink(path, target, sizeof target - 1);
  if (size < 0) return true;  // it is none, or not there
  target[size] = 0;
  return symlinkat(target, to, name) == 0;
}

/// A folder for devices without any: with the links that programs know, and what makes pseudoterminals of those in pts/.
int make_devices(const char* path) {
  const int made = make_memory("0755", "64k", kernel::kNoSetUid | kernel::kNoExecution);
  if (made < 0) return -1;
  bool done = true;
  for (const char* link : kDeviceLinks) done = done && copy_link(path, link, made);
  struct stat there;
  char ptmx[64];
  Text(ptmx, sizeof ptmx).add(path).add("/ptmx");
  const mode_t mask = umask(0);
  // Where devices may not be made, as in a container, there are no pseudoterminals to be made either.
  if (done && lstat(ptmx, &there) == 0 && S_ISCHR(there.st_mode) && mknodat(made, "ptmx", S_IFCHR | 0666, there.st_rdev) != 0) done = errno == EPERM;
  const int error = errno;
  umask(mask);
  if (done) return made;
  close(made);
  return errno = error, -1;
}

/// Whether something that the rule's path lies in is hidden or empty, or memory: the rule that is, the nearest one.
const Rule* cover_of(int index) {
  for (int i = index - 1; i >= 0; i--) {
    const size_t length = rules[i].is_root() ? 0 : strlen(rules[i].path);
    if (strncmp(rules[i].path, rules[index].path, length) != 0 || (rules[index].path[length] != '/')) continue;
    return rules[i].is_copy() ? nullptr : &rules[i];
  }
  return nullptr;
}

/// Whether anything that is not hidden lies in there.
bool leads_somewhere(int index) {
  for (int i = index + 1; i < rule_count; i++)
    if (cover_of(i) == &rules[index] && (rules[i].kind != Rule::Kind::hidden || leads_somewhere(i))) return true;
  return false;
}

/// Everything is made before anything is put in its place, so that copies are of what was there.
bool prepare(int index) {
  Rule& rule = rules[index];
  if (rule.is_copy() && rule.is_root()) return true;
  switch (rule.kind) {
    case Rule::Kind::read_only:
      rule.tree = copy_of(rule.path, kernel::kRecursive);
      return rule.tree >= 0 && set_read_only(rule.tree, "", kernel::kEmptyPath | kernel::kRecursive);
    case Rule::Kind::writable: rule.tree = copy_of(rule.path, kernel::kRecursive); break;
    case Rule::Kind::hidden:
      // What lies in there and is not hidden is reached by those who know its name.
      rule.tree = !rule.is_folder ? make_nothing() : make_memory(leads_somewhere(index) ? "0111" : "0000", "64k", kUnused);
      break;
    case Rule::Kind::memory: rule.tree = make_memory("1777", nullptr, kernel::kNoSetUid | kernel::kNoDevices); break;
    case Rule::Kind::empty: rule.tree = make_memory("0755", "64k", kUnused); break;
    case Rule::Kind::devices: rule.tree = make_devices(rule.path); break;
  }
  return rule.tree >= 0;
}

/// Makes the way from an empty folder to what is to lie in there.
bool make_way(const Rule& cover, const Rule& rule) {
  char path[4096];
  const size_t size = strlen(rule.path);
  if (size >= sizeof path) return errno = ENAMETOOLONG, false;
  memcpy(path, rule.path, size + 1);
  const mode_t mode = cover.kind == Rule::Kind::hidden ? kPassable : kOpen;
  for (char* slash = path + strlen(cover.path); slash != nullptr;) {
    slash = strchr(slash + 1, '/');
    if (slash != nullptr) *slash = 0;
    if (slash != nullptr || rule.is_folder) {
      if (mkdir(path, mode) != 0 && errno != EEXIST) return false;
    } else {
      const int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0);
      if (file < 0) return false;
      close(file);
    }
    if (slash != nullptr) *slash = '/';
  }
  return true;
}

bool apply(int index) {
  const Rule& rule = rules[index];
  if (rule.is_root()) return rule.kind == Rule::Kind::writable || set_read_only(AT_FDCWD, "/", kernel::kRecursive);
  if (const Rule* cover = cover_of(index)) {
    if (rule.kind == Rule::Kind::hidden && !leads_somewhere(index)) return true;  // it is, by that
    if (!make_way(*cover, rule)) return false;
  }
  return put(rule.tree, rule.path);
}

/// Ways into them are made by now.
bool finish(const Rule& rule) {
  const bool is_sealed = rule.kind == Rule::Kind::empty || rule.kind == Rule::Kind::devices || (rule.kind == Rule::Kind::hidden && rule.is_folder);
  return !is_sealed || set_read_only(rule.tree, "", kernel::kEmptyPath);
}

bool apply_all() {
  if (!find_all()) return false;
  sort_rules();
  for (int i = 0; i < rule_count; i++)
    if (!prepare(i)) return false;
  const mode_t mask = umask(0);
  for (int i = 0; i < rule_count; i++)
    if (!apply(i)) return false;
  umask(mask);
  for (int i = 0; i < rule_count; i++) {
    if (!finish(rules[i])) return false;
    if (rules[i].tree >= 0) close(rules[i].tree);
  }
  return true;
}

}  // namespace

bool enter_sandbox(const LaunchFile& launch, StartFailure* failure) {
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1) {
    const char* value = value_of(record, "confine");
    if (value == nullptr) continue;
    if (rule_count == kMostRules) return *failure = {Stage::confine, E2BIG}, false;
    if (!parse_rule(value, &rules[rule_count++])) return *failure = {Stage::confine, errno}, false;
  }
  if (rule_count == 0) return true;
  if (!leave_mounts() || !apply_all()) return *failure = {Stage::confine, errno}, false;
  return true;
}

}  // namespace berth::keeper
