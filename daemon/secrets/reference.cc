#include "daemon/secrets/reference.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "daemon/secrets/command.h"

namespace berth::secrets {
namespace {

namespace fs = std::filesystem;

Result<std::string> from_file(const fs::path& path) {
  // Without O_NONBLOCK a pipe would hold the deployment up.
  BERTH_TRY(const Fd file, files::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat " + path.string());
  if (!S_ISREG(status.st_mode)) return fail(Errc::usage, path.string() + " is no regular file");
  return files::read(file.get(), path.string(), kMostSecret + 1);
}

Result<std::string> from_credential(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.'))
    return fail(Errc::usage, fmt::format("'{}' is no name of a credential", name));
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr)
    return fail(Errc::not_found, fmt::format("berthd was given no credentials: add LoadCredential={} to berthd.service", name));
  return from_file(fs::path(directory) / name);
}

Result<std::string> from_environment(const std::string& name) {
  if (!is_variable_name(name)) return fail(Errc::usage, fmt::format("'{}' is no name of a variable", name));
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return fail(Errc::not_found, fmt::format("{} is not set in the environment", name));
  return std::string(value);
}

/// The words of a command: no shell, so no quoting.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

/// Its words, where the node lets it run.
Result<std::vector<std::string>> allowed_command(std::string_view text, const Sources& sources) {
  auto argv = words_of(text);
  if (argv.empty() || !argv.front().starts_with('/')) return fail(Errc::usage, "a secret's command begins with the whole path of its program");
  if (std::ranges::find(sources.commands, argv.front()) == sources.commands.end())
    return fail(Errc::usage, fmt::format("this node does not let releases run {}: if it may, add it to 'commands' of [secrets] in berthd.toml and restart "
                                         "berthd",
                                         argv.front()));
  return argv;
}

Result<std::string> from_command(const std::string& text, const Sources& sources) {
  BERTH_TRY(const auto argv, allowed_command(text, sources));
  return output_of(argv, sources.command_deadline, kMostSecret + 2);
}

Result<std::string> read(const std::string& reference, const Sources& sources) {
  const auto colon = reference.find(':');
  const std::string kind = reference.substr(0, colon);
  const std::string rest = colon == std::string::npos ? std::string() : reference.substr(colon + 1);
  if (kind == "file" && !rest.starts_with('/')) return fail(Errc::usage, "the path of a secret's file begins with a slash");
  if (kind == "file") return from_file(rest);
  if (kind == "credential") return from_credential(rest);
  if (kind == "env") return from_environment(rest);
  if (kind == "command") return from_command(rest, sources);
  return fail(Errc::usage, "this berthd knows file:/path, credential:NAME, env:NAME and command:/program");
}

}  // namespace

Result<void> check_command(std::string_view reference, const Sources& sources) {
  BERTH_CHECK(allowed_command(reference.substr(std::min(kCommand.size(), reference.size())), sources));
  return {};
}

Result<crypto::Secret> resolve(const std::string& reference, const Sources& sources) {
  BERTH_TRY(std::string value, read(reference, sources));
  if (!reference.starts_with("env:") && value.ends_with('\n')) value.pop_back();
  const bool too_long = value.size() > kMostSecret, has_nul = value.find('\0') != std::string::npos;
  crypto::Secret secret(std::move(value));
  if (too_long) return fail(Errc::usage, fmt::format("is longer than {} KiB", kMostSecret >> 10));
  if (has_nul) return fail(Errc::usage, "has a NUL byte, which no variable can hold");
  return secret;
}

}  // namespace berth::secrets
