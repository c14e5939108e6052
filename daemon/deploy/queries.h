#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/deploy/node.h"
#include "daemon/deploy/story.h"

namespace berth::deploy {

/// What can be asked of the node, without changing anything.
class Queries {
 public:
  explicit Queries(Node& node) : node_(node) {}

  awaitable<Result<DeploymentStatus>> deployment(std::int64_t id);
  /// The newest first.
  awaitable<Result<std::vector<DeploymentStatus>>> deployments(store::DeploymentQuery wanted);
  /// Those on the node and in the repository.
  awaitable<Result<Releases>> releases(std::string name);
  /// What the repository has for this node's environment: releases by app.
  awaitable<Result<std::map<std::string, std::vector<std::string>>>> repository_apps();
  awaitable<Result<std::vector<AppStatus>>> status();
  awaitable<Result<AppStatus>> status(std::string name);
  /// See `Operations`.
  std::string decision_of(const std::string& name) const;
  awaitable<bool> knows_key(std::string name, std::string key);
  /// The last failure of the app, from what is written down of it, and from how its instances are now.
  awaitable<Result<Story>> story(std::string name);
  /// What a revert goes back to: see `store::Store::release_before`.
  awaitable<Result<std::string>> release_before(AppPtr app);

 private:
  awaitable<Result<Story>> story_of_job(Story story);
  AppStatus status_of_app(const App& app, store::AppRecord record) const;

  Node& node_;
};

}  // namespace berth::deploy
