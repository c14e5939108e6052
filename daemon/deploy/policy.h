#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/result.h"

namespace berth::deploy {

/// What an app may have: its name, or "*" for any, and the user, capability or folder. Absent: anything.
using AppRules = std::optional<std::vector<std::pair<std::string, std::string>>>;

/// `[policy]` of berthd.toml: what this node lets a signed release ask for beyond a user of the app's own. Whoever signs a release is not who runs the node.
struct Policy {
  AppRules users;           ///< that a spec may name; "*" is each, root too
  AppRules groups;          ///< of the node, that a process may be in besides those of its user; "*" is each
  AppRules capabilities;    ///< that a process may have though it is not root; "*" is each
  AppRules secret_folders;  ///< in which the files of `file:` references lie
};

/// Whether the node lets the release run: `Errc::trust` names app, rule and the key of berthd.toml. Symlinks of a secret's path are followed, so it blocks.
Result<void> check_policy(const Policy& policy, const bundle::Manifest& manifest);

}  // namespace berth::deploy
