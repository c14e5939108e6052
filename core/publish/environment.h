#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::publish {

/// A value and where it stands, for complaints.
struct Setting {
  std::string value;
  int line = 0, column = 0;
};

/// The configuration of an environment, from `environments/<name>/`: env.toml, and the files of `files/`.
struct Environment {
  std::string name;
  std::filesystem::path folder;
  std::map<std::string, Setting> variables;
  std::map<std::string, Setting> secrets;  ///< references

  std::filesystem::path settings_file() const { return folder / "env.toml"; }
  std::filesystem::path files() const { return folder / "files"; }
};

/// Reads `<environments>/<name>`; without an env.toml there are no variables. `Errc::usage` with file, line and column for what is wrong in it.
Result<Environment> read_environment(const std::filesystem::path& environments, const std::string& name);

/// What a release says of an app's variables.
struct Configuration {
  std::map<std::string, std::string> variables;  ///< defaults of the spec included
  std::map<std::string, std::string> secrets;
};

/// The environment's variables for an app. `Errc::usage` for a required one that is missing, one that is not declared, and a secret that is text.
/// `build` is what the spec is of where that is no folder, for messages: its berth.toml may say more by now.
Result<Configuration> configure(const Environment& environment, const spec::AppSpec& spec, const std::string& build = {});

/// Whether a node can resolve it: `file:/path`, `credential:NAME`, `env:NAME` or `command:/program …`.
Result<void> check_reference(const std::string& reference);

}  // namespace berth::publish
