#pragma once

#include <map>
#include <memory>
#include <string>

#include "daemon/secrets/known_secrets.h"
#include "daemon/secrets/reference.h"
#include "daemon/store/store.h"

namespace berth::deploy {

/// What this node is, as far as its apps may know: from berthd.toml.
struct NodeFacts {
  std::string name;                           ///< BERTH_NODE, `${node.name}`
  std::string environment;                    ///< BERTH_ENV
  std::map<std::string, std::string> labels;  ///< `${node.labels.rack}` in templates
  store::Paths paths;
  secrets::Sources secret_sources;
  std::shared_ptr<secrets::GivenSecrets> given_secrets{};  ///< is told what apps are given; or null
  std::string boot{};         ///< of the machine: another text after each start of it; empty: not known
  bool run_in_memory = true;  ///< what is in `paths.run` is on no disk
};

}  // namespace berth::deploy
