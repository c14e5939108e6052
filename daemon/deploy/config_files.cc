#include "daemon/deploy/config_files.h"

#include <cerrno>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/spec/app_spec.h"

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostTemplate = 4u << 20;  // bytes
constexpr std::size_t kMostFile = 64u << 20;     // bytes; it ends up in memory, where /run is
constexpr std::string_view kTemplate = ".tmpl";

/// A file that its owner alone may read.
Result<void> write_private(const fs::path& path, std::string_view content, mode_t mode, RunAs who) {
  BERTH_TRY(const Fd file, files::open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  BERTH_CHECK(files::write_all(file.get(), content, path.string()));
  if (::fchown(file.get(), who.uid, who.gid) != 0 || ::fchmod(file.get(), mode) != 0) return fail_errno("hand over " + path.string());
  return {};
}

/// Closes a folder that is complete.
Result<void> hand_over_folder(const fs::path& path, RunAs who) {
  if (::chmod(path.c_str(), 0500) != 0) return fail_errno("chmod " + path.string());
  if (::lchown(path.c_str(), who.uid, who.gid) != 0) return fail_errno("chown " + path.string());
  return {};
}

/// One rendering. Until it is done everything belongs to berthd's user, so nobody can put a symlink in its way.
struct Rendering {
  fs::path from;
  RunAs who;
  const std::map<std::string, std::string>& values;

  Result<void> folder(const fs::path& source, const fs::path& target) const;
  Result<void> entry(const fs::directory_entry& source, const fs::path& target) const;
  Result<void> file(const fs::path& source, fs::path target) const;
};

Result<void> Rendering::file(const fs::path& source, fs::path target) const {
  const bool rendered_here = is_template(source.filename().native());
  BERTH_TRY(std::string content, files::read(source, rendered_here ? kMostTemplate : kMostFile));
  if (rendered_here) {
    auto rendered = spec::expand(content, values);
    if (!rendered) return pass(std::move(rendered.error()), "config/" + source.lexically_relative(from).string());
    content = std::move(*rendered);
    target.replace_extension();
  }

  struct stat status{};
  if (::stat(source.c_str(), &status) != 0) return fail_errno("stat " + source.string());
  const mode_t mode = (status.st_mode & 0100) != 0 ? 0500 : 0400;
  auto written = write_private(target, content, mode, who);
  crypto::wipe(content);  // a template's has secrets in it
  if (!written && written.error().code == Errc::exists)
    return fail(Errc::usage, fmt::format("config/{0} is there twice: as a file, and as {0}.tmpl",
                                         (source.parent_path() / target.filename()).lexically_relative(from).string()));
  return written;
}

Result<void> Rendering::entry(const fs::directory_entry& source, const fs::path& target) const {
  std::error_code failed;
  const auto type = source.symlink_status(failed).type();
  if (failed) return fail_errno("stat " + source.path().string(), failed.value());
  if (type == fs::file_type::directory) return folder(source.path(), target);
  if (type == fs::file_type::regular) return file(source.path(), target);
  if (type != fs::file_type::symlink) return fail(Errc::usage, source.path().string() + " is neither a file, a folder nor a symlink");
  // The app follows it with its own rights; berthd never does.
  fs::copy_symlink(source.path(), target, failed);
  if (failed) return fail_errno("make " + target.string(), failed.value());
  if (::lchown(target.c_str(), who.uid, who.gid) != 0) return fail_errno("chown " + target.string());
  return {};
}

Result<void> Rendering::folder(const fs::path& source, const fs::path& target) const {
  if (::mkdir(target.c_str(), 0700) != 0) return fail_errno("make " + target.string());
  std::error_code failed;
  fs::directory_iterator entries(source, failed);
  if (failed && failed.value() != ENOENT) return fail_errno("list " + source.string(), failed.value());
  for (; !failed && entries != fs::directory_iterator(); entries.increment(failed))
    BERTH_CHECK(entry(*entries, target / entries->path().filename()));
  if (failed && failed.value() != ENOENT) return fail_errno("list " + source.string(), failed.value());
  return hand_over_folder(target, who);
}

}  // namespace

Values template_values(const NodeFacts& node, const std::map<std::string, std::string>& environment,
                       const std::map<std::string, std::string>& secrets) {
  Values values;
  values.insert(environment.begin(), environment.end());
  for (const auto& [name, value] : secrets) values["secret:" + name] = value;
  values["node.name"] = node.name;
  for (const auto& [name, value] : node.labels) values["node.labels." + name] = value;
  return values;
}

Values rendering_values(const NodeFacts& node, const bundle::Manifest& manifest, const std::map<std::string, std::string>& environment,
                        const std::map<std::string, std::string>& secrets) {
  Values known;
  known.insert(environment.begin(), environment.end());
  for (const auto& [name, process] : manifest.spec.processes) known = with_idle_ports(known, process);
  return template_values(node, known, secrets);
}

bool is_template(std::string_view name) { return name.ends_with(kTemplate) && name != kTemplate; }

Result<Templates> read_templates(const fs::path& from) {
  Templates templates;
  std::error_code failed;
  fs::recursive_directory_iterator entry(from, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    const auto type = entry->symlink_status(failed).type();
    if (failed) break;
    if (type != fs::file_type::regular || !is_template(entry->path().filename().native())) continue;
    BERTH_TRY(std::string content, files::read(entry->path(), kMostTemplate));
    templates.emplace(entry->path().lexically_relative(from).string(), std::move(content));
  }
  if (failed && failed.value() != ENOENT) return fail_errno("list " + from.string(), failed.value());
  return templates;
}

Result<void> check_templates(const NodeFacts& node, const bundle::Manifest& manifest, const Templates& templates, const std::map<std::string, std::string>& secrets) {
  if (templates.empty()) return {};
  for (const auto& [process, rules] : manifest.spec.processes) {
    const InstanceId id{.app = manifest.app, .process = process, .number = 1, .release = manifest.release};
    const Values values = rendering_values(node, manifest, environment_of(node, manifest, id, 0, secrets), secrets);
    for (const auto& [path, content] : templates) {
      auto rendered = spec::expand(content, values);
      if (!rendered) return pass(std::move(rendered.error()), fmt::format("{}@{}: config/{}", manifest.app, manifest.release, path));
      crypto::wipe(*rendered);
    }
  }
  return {};
}

Result<void> render_config(const fs::path& from, const fs::path& to, RunAs who, const std::map<std::string, std::string>& values) {
  return Rendering{.from = from, .who = who, .values = values}.folder(from, to);
}

Result<void> write_secrets(const fs::path& to, RunAs who, const std::map<std::string, std::string>& secrets) {
  if (::mkdir(to.c_str(), 0700) != 0) return fail_errno("make " + to.string());
  for (const auto& [name, value] : secrets) BERTH_CHECK(write_private(to / name, value, 0400, who));
  return hand_over_folder(to, who);
}

}  // namespace berth::deploy
