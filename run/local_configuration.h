#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/publish/environment.h"
#include "core/result.h"
#include "core/spec/app_spec.h"
#include "daemon/secrets/values.h"

namespace berth::run {

/// What gives an app its variables here, the first one that has a value: the command line, `.env`, the environment, and the spec's own presets.
struct LocalSources {
  std::map<std::string, std::string> given;         ///< by the command line
  std::map<std::string, std::string> dotenv;
  std::filesystem::path dotenv_file;                ///< for what to do; also where there is none
  publish::Environment environment;                 ///< whose shape the run has; without a name: there is none
  std::optional<publish::Environment> for_secrets;  ///< which tells the secrets that are used here in the place of the environment's own; absent: the environment itself
};

/// What it comes to.
struct LocalConfiguration {
  std::map<std::string, std::string> variables;
  secrets::WipedValues secrets;
  std::vector<std::string> notes;  ///< worth telling: what `.env` has and is not given to the app, or is given in the place of what another environment says
};

/// The values of every variable that `spec` declares. `Errc::usage` names all that are required and have none, each with what to write where; and what of an env.toml a
/// release could not have, as `publish::configure`. Blocking: references to secrets are resolved.
Result<LocalConfiguration> configure_locally(const spec::AppSpec& spec, const LocalSources& sources);

}  // namespace berth::run
