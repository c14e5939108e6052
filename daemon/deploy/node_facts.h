#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "daemon/deploy/policy.h"
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
  Policy policy{};                            ///< what releases may ask for
  std::shared_ptr<secrets::GivenSecrets> given_secrets{};  ///< is told what apps are given; or null
  std::string boot{};         ///< of the machine: another text after each start of it; empty: not known
  bool run_in_memory = true;  ///< what is in `paths.run` is on no disk
  std::filesystem::path local_app{}, local_config{};  ///< of 'berth run': what lies there is what runs, in the place of a slot; empty on a node

  std::filesystem::path app_of(const std::string& app, const std::string& release) const { return local_app.empty() ? paths.slot(app, release) / "app" : local_app; }
  std::filesystem::path config_of(const std::string& app, const std::string& release) const {
    return local_app.empty() ? paths.slot(app, release) / "config" : local_config;
  }
};

}  // namespace berth::deploy
