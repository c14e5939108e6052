#include "core/publish/environment.h"

#include <algorithm>
#include <string_view>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "core/spec/toml.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostSettings = 1u << 20;
constexpr std::size_t kLongestValue = 32u << 10;  // as a default in berth.toml

std::string place(const fs::path& file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file.string(), source.begin.line, source.begin.column);
}

std::string place(const Environment& environment, const Setting& setting) {
  return fmt::format("{}:{}:{}", environment.settings_file().string(), setting.line, setting.column);
}

/// A name that a process can be given, and a value that a canonical manifest can hold.
Result<Setting> read_setting(const fs::path& file, const toml::key& key, const toml::node& node) {
  const std::string name(key.str());
  const toml::source_region& source = key.source();
  if (!is_variable_name(name)) return fail(Errc::usage, fmt::format("{}: '{}' is no variable's name", place(file, source), name));
  const auto value = node.value_exact<std::string>();
  if (!value) return fail(Errc::usage, fmt::format("{}: the value of {} must be text, in quotes", place(file, node.source()), name));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (value->size() > kLongestValue || std::ranges::any_of(*value, is_control))
    return fail(Errc::usage, fmt::format("{}: the value of {} has control characters, or is longer than {} KiB; put it into a file below files/",
                                         place(file, node.source()), name, kLongestValue >> 10));
  return Setting{.value = *value, .line = static_cast<int>(source.begin.line), .column = static_cast<int>(source.begin.column)};
}

Result<void> read_table(const fs::path& file, const toml::table& table, std::map<std::string, Setting>& into) {
  for (auto&& [key, node] : table) {
    BERTH_TRY(Setting setting, read_setting(file, key, node));
    into.emplace(key.str(), std::move(setting));
  }
  return {};
}

Result<void> read_settings(const fs::path& file, std::string_view text, Environment& environment) {
  BERTH_TRY(const toml::table top, spec::parse_toml_text(text, file.string()));
  for (auto&& [key, node] : top) {
    if (const toml::table* table = node.as_table()) {
      if (key.str() != "secrets")
        return fail(Errc::usage,
                    fmt::format("{}: unknown table [{}]; variables stand at the top, references in [secrets]", place(file, key.source()), key.str()));
      BERTH_CHECK(read_table(file, *table, environment.secrets));
      continue;
    }
    BERTH_TRY(Setting setting, read_setting(file, key, node));
    environment.variables.emplace(key.str(), std::move(setting));
  }
  for (const auto& [name, setting] : environment.secrets) {
    if (environment.variables.contains(name))
      return fail(Errc::usage, fmt::format("{}: {} is text above, and a secret here", place(environment, setting), name));
    if (const auto known = check_reference(setting.value); !known)
      return fail(Errc::usage, fmt::format("{}: {}: {}", place(environment, setting), name, known.error().message));
  }
  return {};
}

std::string did_you_mean(const std::string& name, const spec::AppSpec& spec) {
  std::vector<std::string> known;
  for (const auto& [declared, variable] : spec.variables) known.push_back(declared);
  const auto meant = spec::nearest(name, known);
  return meant ? fmt::format(" (did you mean '{}'?)", *meant) : "";
}

/// A build keeps the spec that it was made with.
std::string how_to_declare(const std::string& name, const std::string& build) {
  if (build.empty()) return fmt::format("add [env.{}] to its berth.toml", name);
  return fmt::format("with [env.{}] in its berth.toml, 'berth build' makes a new build that does", name);
}

Result<void> check_declared(const Environment& environment, const std::map<std::string, Setting>& settings, const spec::AppSpec& spec, const std::string& build) {
  for (const auto& [name, setting] : settings)
    if (!spec.variables.contains(name))
      return fail(Errc::usage, fmt::format("{}: {} is not declared by {}{}; {}, or, if this file is of another app, name the folder of {} by --environments",
                                           place(environment, setting), name, build.empty() ? spec.app : fmt::format("{} ({})", spec.app, build),
                                           did_you_mean(name, spec), how_to_declare(name, build), spec.app));
  return {};
}

/// ", of which there are dev, production"; empty where there are none.
std::string there_are(const fs::path& environments) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(environments, ignored); entry != fs::directory_iterator(); entry.increment(ignored)) {
    if (ignored) break;
    if (const std::string name = entry->path().filename().string(); is_name(name) && entry->is_directory(ignored)) names.push_back(name);
  }
  std::ranges::sort(names);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? " (there are: " : ", ") + name;
  return text.empty() ? "" : text + ")";
}

}  // namespace

Result<Environment> read_environment(const fs::path& environments, const std::string& name) {
  if (!is_name(name)) return fail(Errc::usage, fmt::format("environment '{}': must be a lower-case letter, then at most 30 of a-z, 0-9 and -", name));
  Environment environment{.name = name, .folder = environments / name};
  std::error_code error;
  if (!fs::is_directory(environment.folder, error))
    return fail(Errc::usage, fmt::format("{} is no folder{}; make it, with the variables of '{}' in env.toml and its configuration files in files/, "
                                         "or say with --environments where it is",
                                         environment.folder.string(), there_are(environments), name));
  const auto text = files::read(environment.settings_file(), kMostSettings);
  if (!text && text.error().code == Errc::not_found) return environment;
  if (!text) return pass(text.error());
  BERTH_CHECK(read_settings(environment.settings_file(), *text, environment));
  return environment;
}

Result<void> check_reference(const std::string& reference) {
  if (reference.starts_with("file:/") && reference.size() > 6) return {};
  if (reference.starts_with("env:") && is_variable_name(std::string_view(reference).substr(4))) return {};
  const std::string_view credential = reference.starts_with("credential:") ? std::string_view(reference).substr(11) : "";
  if (!credential.empty() && credential.find('/') == std::string_view::npos && credential != "." && credential != "..") return {};
  if (reference.starts_with("command:/") && reference.size() > 9) return {};
  // Not quoted: it may be the secret itself.
  return fail(Errc::usage,
              "must be a reference that a node resolves: \"file:/path\", \"credential:NAME\", \"env:NAME\" or \"command:/program argument …\"");
}

Result<Configuration> configure(const Environment& environment, const spec::AppSpec& spec, const std::string& build) {
  BERTH_CHECK(check_declared(environment, environment.variables, spec, build));
  BERTH_CHECK(check_declared(environment, environment.secrets, spec, build));
  Configuration configuration;
  for (const auto& [name, variable] : spec.variables) {
    const auto text = environment.variables.find(name);
    const auto secret = environment.secrets.find(name);
    if (text != environment.variables.end() && variable.secret)
      return fail(Errc::usage,
                  fmt::format("{}: {} is declared as a secret; its value must be a reference in [secrets], such as {} = \"file:/etc/{}/{}\"",
                              place(environment, text->second), name, name, spec.app, name));
    if (text != environment.variables.end()) {
      configuration.variables.emplace(name, text->second.value);
    } else if (secret != environment.secrets.end()) {
      configuration.secrets.emplace(name, secret->second.value);
    } else if (variable.preset && !variable.secret) {
      configuration.variables.emplace(name, *variable.preset);
    } else if (variable.required) {
      return fail(Errc::usage,
                  fmt::format("{}: {} requires {}, and there is no value for it; add {}", environment.settings_file().string(), spec.app, name,
                              variable.secret ? fmt::format("{} = \"file:/…\" to [secrets]", name) : fmt::format("{} = \"…\"", name)));
    }
  }
  return configuration;
}

}  // namespace berth::publish
