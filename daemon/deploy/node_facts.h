#pragma once

#include <map>
#include <string>

#include "daemon/store/store.h"

namespace berth::deploy {

/// What this node is, as far as its apps may know: from berthd.toml.
struct NodeFacts {
  std::string name;                           ///< BERTH_NODE, `${node.name}`
  std::string environment;                    ///< BERTH_ENV
  std::map<std::string, std::string> labels;  ///< `${node.labels.rack}` in templates
  store::Paths paths;
};

}  // namespace berth::deploy
