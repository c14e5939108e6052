#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "core/bundle/manifest.h"
#include "core/publish/build.h"
#include "core/publish/release.h"

namespace berth::cli {

// What the publisher's verbs have in common. None of them needs a berthd.

Option repository_option(std::string& into);
Option keys_option(std::string& into);
Option environments_option(std::string& into);

/// Where the keys of a repository lie unless told: beside it, `<repository>-keys`, since all of the repository is served.
std::filesystem::path keys_beside(const std::filesystem::path& repository);

/// The repository of `--repo`, with the keys of `--keys`. `Errc::usage` where none is named.
Result<publish::Repository> publisher_repository(const std::string& verb, const std::string& folder, const std::string& keys);

/// The options that choose a release's id.
struct IdOptions {
  std::string id;
  bool timestamp = false;
};
std::vector<Option> id_options(IdOptions& into);
Result<publish::ReleaseOptions> release_options(const std::string& verb, const IdOptions& options, const std::vector<std::string>& attachments = {});

/// Tells what was published, and how to go on.
void tell_published(const Console& console, const publish::Published& published, const std::filesystem::path& repository);

/// What JSON says of a build, and of a release.
boost::json::object build_json(const publish::Build& build);
boost::json::object release_json(const bundle::Manifest& manifest);

}  // namespace berth::cli
