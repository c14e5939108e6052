#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

constexpr std::size_t kMostSecret = 64u << 10;  // bytes

Result<std::string> from_file(const files::fs::path& path) {
  // Without O_NONBLOCK a pipe would hold the deployment up.
  BERTH_TRY(const Fd file, files::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat " + path.string());
  if (!S_ISREG(status.st_mode)) return fail(Errc::usage, path.string() + " is no regular file");
  BERTH_TRY(std::string value, files::read(file.get(), path.string(), kMostSecret));
  if (value.ends_with('\n')) value.pop_back();
  return value;
}

Result<std::string> from_credential(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.starts_with('.'))
    return fail(Errc::usage, fmt::format("'{}' is no name of a credential", name));
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr)
    return fail(Errc::not_found, fmt::format("berthd was given no credentials: add LoadCredential={} to berthd.service", name));
  return from_file(files::fs::path(directory) / name);
}

Result<std::string> from_environment(const std::string& name) {
  if (!is_variable_name(name)) return fail(Errc::usage, fmt::format("'{}' is no name of a variable", name));
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return fail(Errc::not_found, fmt::format("{} is not set in berthd's environment", name));
  return std::string(value);
}

Result<std::string> resolve(const std::string& reference) {
  const auto colon = reference.find(':');
  const std::string kind = reference.substr(0, colon);
  const std::string rest = colon == std::string::npos ? std::string() : reference.substr(colon + 1);
  if (kind == "file") {
    if (!rest.starts_with('/')) return fail(Errc::usage, "the path of a secret's file begins with a slash");
    return from_file(rest);
  }
  if (kind == "credential") return from_credential(rest);
  if (kind == "env") return from_environment(rest);
  return fail(Errc::usage, "this berthd knows file:/path, credential:NAME and env:NAME");
}

}  // namespace

Result<std::map<std::string, std::string>> resolve_secrets(const bundle::Manifest& manifest) {
  std::map<std::string, std::string> values;
  for (const auto& [variable, reference] : manifest.secrets) {
    const auto what = fmt::format("{}@{}: secret {} ({})", manifest.app, manifest.release, variable, reference);
    auto value = resolve(reference);
    if (!value) return pass(std::move(value.error()), what);
    if (value->size() > kMostSecret) return fail(Errc::usage, fmt::format("{}: is longer than {} KiB", what, kMostSecret >> 10));
    if (value->find('\0') != std::string::npos) return fail(Errc::usage, what + ": has a NUL byte, which no variable can hold");
    values.emplace(variable, std::move(*value));
  }
  return values;
}

}  // namespace berth::deploy
