#include "daemon/deploy/command_lookup.h"

#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/core.h>
#include <sys/stat.h>

#include "core/spec/app_spec.h"

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
  return fail(Errc::not_found, fmt::format("'{}' is no program in {}", word, path));
}

Result<std::string> find_program(const fs::path& app, const std::string& word, const std::map<std::string, std::string>& environment) {
  if (word.find('/') == std::string::npos) {
    const auto path = environment.find("PATH");
    return look_up(word, path == environment.end() ? std::string_view() : std::string_view(path->second));
  }
  if (word.starts_with('/')) {
    if (is_program(word)) return word;
    return fail(Errc::not_found, fmt::format("{} is no program of this node that can be executed", word));
  }
  const auto path = below(app, word);
  if (path && is_program(*path)) return path->string();
  const char* why = !path ? "is not in the build" : "is no file that can be executed";
  return fail(Errc::not_found, fmt::format("'{}' {} ({})", word, why, (app / word).lexically_normal().string()));
}

}  // namespace

Result<std::vector<std::string>> find_command(const fs::path& app, const std::vector<std::string>& command,
                                              const std::map<std::string, std::string>& environment) {
  std::vector<std::string> argv;
  for (const std::string& word : command) {
    BERTH_TRY(auto expanded, spec::expand(word, environment));
    argv.push_back(std::move(expanded));
  }
  if (argv.empty() || argv[0].empty()) return fail(Errc::usage, "the command is empty");
  BERTH_TRY(argv[0], find_program(app, argv[0], environment));
  return argv;
}

Result<std::string> find_directory(const fs::path& app, const std::string& directory) {
  if (directory.empty()) return app.string();
  const auto path = below(app, directory);
  std::error_code ignored;
  if (path && fs::is_directory(*path, ignored)) return path->string();
  return fail(Errc::not_found, fmt::format("its directory '{}' is no folder of the build ({})", directory, (app / directory).lexically_normal().string()));
}

}  // namespace berth::deploy
