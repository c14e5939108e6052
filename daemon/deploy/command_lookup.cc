#include "daemon/deploy/command_lookup.h"

#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/core.h>
#include <sys/stat.h>

#include "core/spec/app_spec.h"
#include "core/spec/command_hint.h"
#include "core/spec/image_root.h"

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

/// `relative` below `app`, as it stands and with every symlink followed. Empty where it leads elsewhere or is not there.
std::optional<fs::path> below(const fs::path& app, const std::string& relative) {
  const auto starts_with = [](const fs::path& path, const fs::path& folder) {
    const auto beyond = path.lexically_relative(folder);
    return !beyond.empty() && *beyond.begin() != "..";
  };
  const fs::path path = (app / relative).lexically_normal();
  if (!starts_with(path, app.lexically_normal())) return {};
  std::error_code missing;
  const fs::path real = fs::canonical(path, missing);
  if (missing) return {};
  const fs::path real_app = fs::canonical(app, missing);
  if (missing || !starts_with(real, real_app)) return {};
  return path;
}

/// Who may execute it is the start's to find: here any of the three bits will do.
bool is_program(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

Result<std::string> look_up(const std::string& word, std::string_view path) {
  for (std::string_view rest = path; !rest.empty();) {
    const auto colon = rest.find(':');
    const fs::path folder(rest.substr(0, colon));
    if (folder.is_absolute() && is_program(folder / word)) return (folder / word).string();
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return fail(Errc::not_found, fmt::format("'{}' is no program in {}{}", word, path, spec::hint_of_spaces(word)));
}

/// A path of the slot as a process sees it whose root is the slot's tree.
std::string in_image(const fs::path& app, const fs::path& path) { return "/" + path.lexically_relative(app.lexically_normal()).string(); }

/// As `below`, in the tree of an image, where what is mounted hides what the build has there.
std::optional<fs::path> visible_below(const fs::path& app, const std::string& relative) {
  auto path = below(app, relative);
  if (!path) return path;
  std::error_code missing;
  const fs::path real = fs::canonical(*path, missing).lexically_relative(fs::canonical(app, missing));
  if (missing) return {};
  for (const fs::path& one : {path->lexically_relative(app.lexically_normal()), real})
    if (!spec::image_mount_above(one.string()).empty()) return {};
  return path;
}

/// As find_program, in the tree of an image. Its symlinks lead no further than its root, since no layer has others.
Result<std::string> find_in_image(const ProgramRoot& where, const std::string& word, const std::map<std::string, std::string>& environment) {
  const auto path_variable = environment.find("PATH");
  const std::string folders = path_variable == environment.end() ? std::string() : path_variable->second;
  if (word.find('/') != std::string::npos) {
    const fs::path wanted = word.starts_with('/') ? fs::path(word).relative_path() : fs::path(where.directory) / word;
    const auto path = visible_below(where.app, wanted.string());
    if (path && is_program(*path)) return in_image(where.app, *path);
    return fail(Errc::not_found, fmt::format("'{}' is no file of the image that can be executed", word));
  }
  for (std::string_view rest = folders; !rest.empty();) {
    const auto colon = rest.find(':');
    const auto path = visible_below(where.app, (fs::path(rest.substr(0, colon)).relative_path() / word).string());
    if (path && is_program(*path)) return in_image(where.app, *path);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return fail(Errc::not_found, fmt::format("'{}' is no program of the image in {}", word, folders));
}

Result<std::string> find_program(const ProgramRoot& where, const std::string& word, const std::map<std::string, std::string>& environment) {
  if (word.find('/') == std::string::npos) {
    const auto path = environment.find("PATH");
    return look_up(word, path == environment.end() ? std::string_view() : std::string_view(path->second));
  }
  std::error_code ignored;
  if (word.starts_with('/')) {
    if (is_program(word)) return word;
    return fail(fs::exists(word, ignored) ? Errc::permission : Errc::not_found, fmt::format("{} is no program of this node that can be executed", word));
  }
  const fs::path wanted = fs::path(where.directory) / word;
  const auto path = below(where.app, wanted.string());
  if (path && is_program(*path)) return path->string();
  const char* why = !path ? "is not in the build" : "is no file that can be executed";
  return fail(path && fs::exists(*path, ignored) ? Errc::permission : Errc::not_found,
              fmt::format("'{}' {} ({})", word, why, (where.app / wanted).lexically_normal().string()));
}

}  // namespace

Result<std::vector<std::string>> find_command(const ProgramRoot& where, const std::vector<std::string>& command,
                                              const std::map<std::string, std::string>& environment) {
  std::vector<std::string> argv;
  for (const std::string& word : command) {
    BERTH_TRY(auto expanded, spec::expand(word, environment));
    argv.push_back(std::move(expanded));
  }
  if (argv.empty() || argv[0].empty()) return fail(Errc::usage, "the command is empty");
  auto found = where.root == spec::Root::image ? find_in_image(where, argv[0], environment) : find_program(where, argv[0], environment);
  if (!found) return std::unexpected(std::move(found.error()));
  argv[0] = std::move(*found);
  return argv;
}

Result<std::string> find_directory(const ProgramRoot& where, const std::string& directory) {
  const fs::path& app = where.app;
  const bool is_image = where.root == spec::Root::image;
  if (directory.empty()) return is_image ? std::string("/") : app.string();
  const auto path = below(app, directory);
  std::error_code ignored;
  if (path && fs::is_directory(*path, ignored)) return is_image ? in_image(app, *path) : path->string();
  return fail(Errc::not_found, fmt::format("its directory '{}' is no folder of the build ({})", directory, (app / directory).lexically_normal().string()));
}

}  // namespace berth::deploy
