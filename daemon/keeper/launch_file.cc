#include "daemon/keeper/launch_file.h"

#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/crypto/secret.h"
#include "daemon/keeper/protocol.h"

namespace berth::keeper {
namespace {

/// Collects `key=value` records.
class Records {
 public:
  /// `most`: bytes that it will have. There are secrets among them, of which growing would leave copies.
  explicit Records(std::size_t most) { text_.reserve(most); }
  ~Records() { crypto::wipe(text_); }

  void add(std::string_view key, std::string_view value) { add(key, value, {}); }
  void add(std::string_view key, std::string_view value, std::string_view more) {
    for (const std::string_view part : {value, more})
      if (part.find('\0') != std::string_view::npos && bad_.empty()) bad_ = key;
    text_.append(key).append("=").append(value).append(more).push_back('\0');
  }
  void add(std::string_view key, std::int64_t value) { add(key, std::to_string(value)); }
  const std::string& text() const { return text_; }
  const std::string& bad() const { return bad_; }  ///< the key of a value with a NUL in it

 private:
  std::string text_, bad_;
};

std::string_view name_of(RestartWhen when) {
  return when == RestartWhen::never ? "never" : when == RestartWhen::on_failure ? "on_failure" : "always";
}

void add_environment(Records& records, const Launch& launch) {
  for (const auto& [name, value] : launch.environment) records.add("env", name + "=", value);
  std::string names;
  for (const auto& [name, socket] : launch.sockets) {
    records.add("listen", name);
    names += (names.empty() ? "" : ":") + name;
  }
  if (launch.sockets.empty() || !launch.listen_variables) return;
  records.add("env", fmt::format("LISTEN_FDS={}", launch.sockets.size()));
  records.add("env", "LISTEN_FDNAMES=" + names);
  records.add("listen_pid", 1);
}

std::string limit_text(const ResourceLimit& limit) {
  const auto text = [](std::uint64_t value) { return value == ResourceLimit::kInfinity ? std::string("infinity") : std::to_string(value); };
  return text(limit.soft) + " " + text(limit.hard);
}

void add_resources(Records& records, const Launch& launch) {
  for (const auto& [resource, limit] : launch.resources) records.add("rlimit", fmt::format("{} {}", resource, limit_text(limit)));
  if (launch.usual_files && !launch.resources.contains(RLIMIT_NOFILE)) records.add("rlimit", fmt::format("{}? {}", RLIMIT_NOFILE, limit_text(kUsualFiles)));
  if (launch.nice) records.add("nice", *launch.nice);
  if (launch.oom_score_adjust) records.add("oom_score_adjust", *launch.oom_score_adjust);
}

/// Bytes of all its texts and what stands between them, or more.
std::size_t size_of(const Launch& launch) {
  std::size_t size = 4096 + launch.id.size() + launch.directory.size() + launch.cgroup.size() + launch.notify.size() + launch.log_tag.size();
  for (const std::string& argument : launch.argv) size += argument.size() + 16;
  for (const auto& [name, value] : launch.environment) size += name.size() + value.size() + 16;
  size += launch.root.size();
  for (const Mount& mount : launch.mounts) size += mount.path.size() + mount.source.size() + 32;
  for (const Confinement& one : launch.confinement) size += one.path.size() + 32;
  size += 32 * (launch.address_families.size() + launch.groups.size() + launch.resources.size());
  for (const auto& [file, value] : launch.cgroup_values) size += file.size() + value.size() + 16;
  for (const auto& [name, socket] : launch.sockets) size += 2 * name.size() + 16;
  return size;
}

Result<Fd> seal(const std::string& text) {
  Fd fd(::memfd_create("berth-launch", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("make a memfd for the launch");
  for (std::size_t done = 0; done < text.size();) {
    const auto n = ::write(fd.get(), text.data() + done, text.size() - done);
    if (n <= 0) return fail_errno("write the launch");
    done += static_cast<std::size_t>(n);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return fail_errno("seal the launch");
  return fd;
}

}  // namespace

std::string to_string(const Confinement& one) {
  constexpr const char* kKinds[] = {"ro", "rw", "hide", "memory", "empty", "devices"};
  return fmt::format("{}{} {}", kKinds[static_cast<int>(one.kind)], one.optional ? "?" : "", one.path);
}

Result<LaunchMemory> make_launch(const Launch& launch) {
  if (launch.argv.empty()) return fail(Errc::usage, launch.id + ": its command is empty");
  if (launch.groups.size() > kMostGroups) return fail(Errc::usage, fmt::format("{}: its user is in {} groups, and {} at most can be had here", launch.id, launch.groups.size(), kMostGroups));
  if (launch.sockets.size() > kMostSockets) {
    return fail(Errc::usage, fmt::format("{}: {} listening sockets are more than {}", launch.id, launch.sockets.size(), kMostSockets));
  }
  if (launch.notify.size() >= sizeof sockaddr_un::sun_path) {
    return fail(Errc::usage, fmt::format("{}: its NOTIFY_SOCKET {} has {} bytes; {} at most, which the path of a Unix socket may have. A shorter [paths] run in "
                                         "berthd.toml helps", launch.id, launch.notify, launch.notify.size(), sizeof sockaddr_un::sun_path - 1));
  }
  Records records(size_of(launch));
  records.add("id", launch.id);
  for (const auto& argument : launch.argv) records.add("arg", argument);
  add_environment(records, launch);
  if (!launch.root.empty()) records.add("root", launch.root);
  for (const Mount& mount : launch.mounts) {
    const char* kind = mount.kind == Mount::Kind::writable ? "rw " : mount.kind == Mount::Kind::read_only ? "ro " : "file ";
    records.add("mount", kind + mount.path + "\n", mount.source);
  }
  for (const Confinement& one : launch.confinement) records.add("confine", to_string(one));
  if (launch.sees) records.add("sees", fmt::format("{} {}", launch.sees->pid, launch.sees->mounts));
  for (const int family : launch.address_families) records.add("family", family);
  if (launch.deny_write_execute) records.add("deny_write_execute", 1);
  if (launch.umask != Launch().umask) records.add("umask", launch.umask);
  records.add("directory", launch.directory);
  records.add("uid", launch.uid);
  records.add("gid", launch.gid);
  for (const gid_t group : launch.groups) records.add("group", group);
  records.add("may_gain_privileges", launch.may_gain_privileges ? 1 : 0);
  if (launch.bounding != Launch().bounding) records.add("bounding", static_cast<std::int64_t>(launch.bounding));
  if (launch.ambient != 0) records.add("ambient", static_cast<std::int64_t>(launch.ambient));
  add_resources(records, launch);
  records.add("stop_signal", launch.stop_signal);
  records.add("grace_ms", launch.grace_ms);
  records.add("restart", name_of(launch.restart));
  if (launch.retries >= 0) records.add("retries", launch.retries);
  if (launch.attached) records.add("attached", *launch.attached ? "terminal" : "plain");
  if (launch.bound) records.add("bound", 1);
  records.add("early_ms", launch.policy.early_ms);
  records.add("first_ms", launch.policy.first_ms);
  records.add("longest_ms", launch.policy.longest_ms);
  records.add("segment_bytes", static_cast<std::int64_t>(launch.segment_bytes));
  records.add("keep_bytes", static_cast<std::int64_t>(launch.keep_bytes));
  if (launch.segment_age_ms > 0) records.add("segment_age_ms", launch.segment_age_ms);
  if (!launch.log_tag.empty()) records.add("log_tag", launch.log_tag);
  if (!launch.cgroup.empty()) records.add("cgroup", launch.cgroup);
  if (!launch.notify.empty()) records.add("notify", launch.notify);
  if (launch.watchdog_ms > 0) {
    records.add("watchdog_ms", launch.watchdog_ms);
    records.add("watchdog_delay_ms", launch.watchdog_delay_ms);
  }
  for (const auto& [file, value] : launch.cgroup_values) records.add("cgroup_value", file + " ", value);
  if (!records.bad().empty()) return fail(Errc::usage, fmt::format("{}: a value of '{}' has a NUL byte in it", launch.id, records.bad()));
  if (records.text().size() > kMostLaunch) {
    return fail(Errc::usage, fmt::format("{}: its command and environment are over {} bytes", launch.id, kMostLaunch));
  }
  BERTH_TRY(Fd fd, seal(records.text()));
  return LaunchMemory{std::move(fd), digest(records.text().data(), records.text().size())};
}

std::string describe_failure(int stage, int error, const std::string& program) {
  const auto doing = [&]() -> std::string {
    switch (static_cast<Stage>(stage)) {
      case Stage::none: return "start";
      case Stage::pipe: return "make a pipe";
      case Stage::fork: return "fork";
      case Stage::read_launch: return "read the launch (too many arguments or variables?)";
      case Stage::join_cgroup: return "enter its cgroup";
      case Stage::open_null: return "open /dev/null";
      case Stage::pass_sockets: return "pass its sockets";
      case Stage::set_user: return "become its user";
      case Stage::enter_directory: return "enter its working folder";
      case Stage::execute: return "execute " + program;
      case Stage::make_root: return "make its image its root";
      case Stage::see_mounts: return "see the files of its instance (it ended?)";
      case Stage::mount_folder: return "mount its data, configuration and run folder below /berth of its image";
      case Stage::mount_dev: return "make /dev of its image";
      case Stage::mount_memory: return "mount /tmp and /run of its image";
      case Stage::mount_proc: return "mount /proc of its image";
      case Stage::bind_notify: return "bind its NOTIFY_SOCKET";
      case Stage::take_terminal: return "take its terminal";
      case Stage::confine: return error == ENOENT || error == ENOTDIR ? "enter its sandbox (a path of it is missing; '-' in front passes over it)" : "enter its sandbox";
      case Stage::drop_capabilities: return "drop the capabilities that it is not to have (berthd itself needs CAP_SETPCAP, and those that it is to give)";
      case Stage::filter_calls: return "filter its system calls";
      case Stage::set_resources: return "set the limits of its processes (LimitNOFILE and the like, Nice, OOMScoreAdjust; berthd itself needs CAP_SYS_RESOURCE, and CAP_SYS_NICE)";
      case Stage::set_limits: return "set the limits of its spec on its cgroup";
    }
    return "start";
  }();
  return doing + ": " + std::strerror(error);
}

}  // namespace berth::keeper
