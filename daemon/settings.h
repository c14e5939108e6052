#pragma once

#include <memory>

#include "daemon/config/config.h"
#include "daemon/deploy/deployer.h"
#include "daemon/fetch/fetch.h"
#include "daemon/follow/follower.h"
#include "daemon/host/programs.h"
#include "daemon/store/store.h"

namespace berth {

// What berthd.toml says, in the words of the parts that it is for.

/// Where the state is.
store::Paths paths_of(const config::Config& config);
/// Where releases come from; nullptr where none is said.
std::unique_ptr<fetch::Repository> repository_of(const config::Config& config);
/// How releases are brought to work.
deploy::DeployerOptions deployer_options(const config::Config& config, const host::Programs& programs);
/// What apps were given by a berthd before this one is kept out of sinks from the first line on. Blocking.
void learn_secrets(store::Store& store, const deploy::NodeFacts& node);
/// Where what is followed is asked for. Without a repository nothing is followed, as berthd.toml is read.
follow::Source source_of(fetch::Repository* repository, store::Store& store);

}  // namespace berth
