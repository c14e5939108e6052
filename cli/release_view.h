#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/repository_source.h"
#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"
#include "core/ids.h"

namespace berth::cli {

/// A release whole: its manifest, and what lies in it.
struct ReleaseView {
  bundle::Manifest manifest;
  std::string role;                ///< that signed for it; of a slot when it was taken; empty: that was not written down
  std::vector<std::string> keys;   ///< ids of the keys of that role which signed
  bool proves_itself = false;      ///< it is a file that was compared with the root in it, so anybody may have signed it
  std::string expired;             ///< metadata that it was found by although it had expired
  std::map<std::string, std::vector<bundle::Entry>> files;  ///< by platform; of a slot, this machine's
  std::vector<bundle::Entry> config;
};

/// Reads it from the release file that `release` is the path of; or from the repository that `said` names, as a client does; or, where it names none, from this node's slot. `verb` is for messages.
Result<ReleaseView> view_release(const Console& console, const std::string& verb, const std::string& release, const RepositoryLocation& said);

/// `web/production@v42`.
std::string name_of(const bundle::Manifest& manifest);

}  // namespace berth::cli
