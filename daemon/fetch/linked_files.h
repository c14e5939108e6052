#pragma once

#include <filesystem>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::fetch {

/// The files of a layer that a sealed slot has already.
struct LinkPlan {
  struct Link {
    std::string path;             ///< in the layer, and below `from`
    std::filesystem::path from;   ///< the slot's `app` or `config`
    mode_t mode = 0644;
  };
  std::vector<Link> links;
  std::set<std::string> paths;  ///< of `links`
  std::uint64_t bytes = 0;      ///< of their content
};

/// Looks for each file of `entries` at its own path below `slots`/`part`, in order; digest and mode must be equal, and the file must be root's and
/// sealed. A slot that cannot be read has nothing.
Result<LinkPlan> plan_links(const std::vector<bundle::Entry>& entries, const std::vector<std::filesystem::path>& slots, const std::string& part,
                            const std::stop_token& stop);

/// Puts them into `tree`, whose folders are there: a reflink, else a hard link, else a copy.
Result<void> make_links(const LinkPlan& plan, int tree, const std::stop_token& stop);

}  // namespace berth::fetch
