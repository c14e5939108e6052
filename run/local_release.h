#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/publish/build_store.h"
#include "core/release_file/release_file.h"
#include "core/result.h"
#include "daemon/secrets/values.h"
#include "run/places.h"

namespace berth::run {

inline constexpr const char* kUsualEnvironment = "dev";
inline constexpr const char* kProcfile = "Procfile";
inline constexpr const char* kDotenv = ".env";

/// What is to run, and where it lies: on a node, all of this is a slot and what goes with it.
struct LocalRelease {
  bundle::Manifest manifest;        ///< its app, environment, release, spec and variables
  fs::path app, config;             ///< in the place of a slot's folders; `config` is empty where there is none
  secrets::WipedValues secrets;     ///< by variable
  std::map<std::string, std::string> inherited;  ///< what it has of this program's environment beside its own: PATH, and where nothing is declared everything
  std::vector<std::string> order;   ///< of its processes: as its ports are numbered
  bool numbers_ports = false;       ///< each process has a port of a fixed number, as foreman gives them
  std::map<std::string, int> instances;  ///< how many of each process run
  std::vector<std::string> notes;   ///< worth telling
  std::vector<std::string> differences;  ///< from the usual environment
};

/// What the command line says of how a release is made of what lies here.
struct LocalOptions {
  std::string environment;                   ///< `--as`; empty: `dev` where there is one
  fs::path environments;                     ///< the folder of all; empty: `environments/` of the tree, and what that has not of the working folder
  fs::path dotenv;                           ///< empty: `.env` of the tree, which may be missing
  std::map<std::string, std::string> given;  ///< variables
  std::map<std::string, std::string> labels{};  ///< of this "node": what templates name of them must be there
  std::string formation;                     ///< `web=2,worker=1`; empty: as the spec says
};

/// Of an app's tree: a folder with a berth.toml, else with a Procfile. `Errc::usage` for whatever a build and a release could not be made of, and what is missing here.
Result<LocalRelease> release_of_tree(const fs::path& tree, const LocalOptions& options);

/// The name of the app that a tree has, for its places.
Result<std::string> app_of_tree(const fs::path& tree);

/// Of a build, which is unpacked below `places` where it is not there from the last time. There is no environment unless one is named with `options.environments`.
Result<LocalRelease> release_of_build(const publish::BuildStore& store, const publish::Build& build, const Places& places, const LocalOptions& options);

/// Of a release in a repository, which is verified as a node does, and whose blobs are fetched and unpacked below `places` where they are not there. Its
/// secrets are this machine's own: of the command line and of `.env`.
Result<LocalRelease> release_of_repository(const release_file::Source& source, const release_file::Found& found, const Places& places, const LocalOptions& options);

}  // namespace berth::run
